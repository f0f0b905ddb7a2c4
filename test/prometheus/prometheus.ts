import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { placeByRename } from '../support/place-file.ts';
import { findPort } from '../support/ports.ts';
import { startProgram } from '../support/program.ts';
import type { Scope } from '../support/scope.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

export interface TestPrometheus {
  readonly url: string;
  /** Those that fire now. */
  firing(): Promise<readonly Alert[]>;
  /** The values of an expression now, of each series. */
  query(expression: string): Promise<readonly number[]>;
  /** The samples of the series that are selected, such as {job="us"}[5m], each by its `nameOf`. */
  samples(selector: string): Promise<readonly string[]>;
  /** The sum of the series of a metric of its own. */
  metric(name: string): Promise<number>;
  /** What it has logged so far. */
  log(): string;
  /** Whether it is told where the gateways are: service discovery that works, or not. */
  setDiscovery(state: 'working' | 'broken'): Promise<void>;
}

export interface PrometheusOptions {
  readonly program: string;
  readonly rules?: string;
  /** host:port by the name of the job. */
  readonly jobs: Readonly<Record<string, readonly string[]>>;
  /** Further sections of its configuration. */
  readonly config?: object;
  /** Further words of its command line. */
  readonly flags?: readonly string[];
  /** What the label `instance` says of a host:port, if it is not that. */
  readonly names?: Readonly<Record<string, string>>;
}

const START_TIMEOUT_MS = 20_000;

/** A real Prometheus on 127.0.0.1, which scrapes and evaluates every second. */
export async function startPrometheus(
  scope: Scope,
  { program, rules = '{}', jobs, names = {}, config: more = {}, flags = [] }: PrometheusOptions,
): Promise<TestPrometheus> {
  const directory = await temporaryDirectory(scope);
  await writeFile(join(directory, 'rules.yaml'), rules);
  const discovered = (name: string): string => join(directory, `${name}.json`);
  async function setDiscovery(state: 'working' | 'broken'): Promise<void> {
    for (const [name, targets] of Object.entries(jobs)) {
      const found = targets.map((target) => ({ targets: [target], labels: { instance: names[target] ?? target } }));
      await placeByRename(discovered(name), JSON.stringify(state === 'working' ? found : []));
    }
  }
  await setDiscovery('working');
  // JSON is YAML.
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '900ms', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: Object.keys(jobs).map((name) => ({
      job_name: name,
      file_sd_configs: [{ files: [discovered(name)], refresh_interval: '1s' }],
    })),
    ...more,
  };
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(config));
  const address = `127.0.0.1:${await findPort()}`;
  const running = startProgram(scope, [
    program,
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=${address}`,
    '--log.level=warn',
    ...flags,
  ]);

  async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(5_000) });
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== 'success') throw new Error(`Prometheus refuses ${path}: ${error}`);
    return data;
  }

  const select = async <T>(expression: string): Promise<readonly T[]> =>
    (await ask<{ result: readonly T[] }>(`/api/v1/query?query=${encodeURIComponent(expression)}`)).result;

  const isReady = (): Promise<boolean> =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await running.until('Prometheus is ready', isReady, START_TIMEOUT_MS);
  return {
    url: `http://${address}`,
    setDiscovery,
    log: running.stderr,
    async samples(selector) {
      return (await select<Series>(selector)).flatMap(({ metric, values }) =>
        values.map(([time]) => nameOf(metric, Math.round(time * 1_000))),
      );
    },
    async metric(name) {
      const text = await (await fetch(`http://${address}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    async firing() {
      const { alerts } = await ask<{ alerts: readonly Alert[] }>('/api/v1/alerts');
      return alerts.filter(({ state }) => state === 'firing');
    },
    async query(expression) {
      return (await select<{ value: readonly [number, string] }>(expression)).map(({ value }) => Number(value[1]));
    },
  };
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [seconds: number, value: string])[];
}

/** A sample, whoever has it: of which series it is, and of which moment in milliseconds. */
export function nameOf(labels: Readonly<Record<string, string>>, time: number): string {
  const sorted = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(sorted)}@${time}`;
}

/**
 * The rules with their minutes as seconds, so that a test need not wait for hours; what they ask and how much they take is
 * as it was.
 */
export function inSeconds(rules: string): string {
  const seconds: Readonly<Record<string, string>> = {
    '2m': '5s',
    '5m': '10s',
    '10m': '15s',
    '15m': '20s',
    '1h': '30s',
  };
  return rules
    .replaceAll(/\[(\w+)\]/g, (_all, range: string) => {
      const short = seconds[range];
      if (short === undefined) throw new Error(`the rules have a range that this test does not know: ${range}`);
      return `[${short}]`;
    })
    .replaceAll(/offset \d+m/g, 'offset 10s')
    .replaceAll(/for: \d+m/g, 'for: 2s');
}
