import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { findPort } from '../../support/ports.ts';
import { startProgram } from '../../support/program.ts';
import type { Scope } from '../../support/scope.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { until } from '../../support/wait.ts';

/** A Collector that runs. */
export interface Otelcol {
  /** What it has logged so far, line by line. */
  log(): readonly OtelcolLine[];
  /** The sum of the series of one of its own metrics, in whichever way this version spells its end; 0 if there is none. */
  metric(name: string, label?: string): Promise<number>;
  /** SIGTERM, as it is stopped everywhere: it sends what it has taken, if it can. */
  stop(): Promise<void>;
}

export interface OtelcolLine {
  readonly level: string;
  readonly msg: string;
  readonly error?: string;
  readonly [field: string]: unknown;
}

const STARTED_WITHIN_MS = 60_000;
const STOPPED_WITHIN_MS = 60_000;
const READY = 'Everything is ready. Begin running and processing data.';

/** Runs it with this configuration, and with logs and metrics where they can be read. */
export async function startOtelcol(
  t: Scope,
  program: string,
  config: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Otelcol> {
  const directory = await temporaryDirectory(t);
  const port = await findPort();
  await writeFile(join(directory, 'config.yaml'), config);
  await writeFile(join(directory, 'telemetry.yaml'), telemetryAt(port));
  const files = ['config.yaml', 'telemetry.yaml'].flatMap((file) => ['--config', join(directory, file)]);
  const running = startProgram(t, [program, '--feature-gates=service.profilesSupport', ...files], {
    env: { ...process.env, ...env },
  });
  await running.until('the Collector is ready', () => running.stderr().includes(READY), STARTED_WITHIN_MS);
  return {
    log: () => running.stderr().split('\n').flatMap(toLine),
    async metric(name, label = '') {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const lines = text.split('\n').filter((line) => {
        const [, called] = /^([^{ ]+)/.exec(line) ?? [];
        return (called === name || called === `${name}_total`) && line.includes(label);
      });
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    async stop() {
      running.signal('SIGTERM');
      await until('the Collector has ended', running.hasEnded, STOPPED_WITHIN_MS);
    },
  };
}

function telemetryAt(port: number): string {
  const prometheus = { host: '127.0.0.1', port };
  return stringify({
    service: {
      telemetry: {
        logs: { encoding: 'json', sampling: { enabled: false } },
        metrics: { readers: [{ pull: { exporter: { prometheus } } }] },
      },
    },
  });
}

function toLine(text: string): OtelcolLine[] {
  try {
    return [JSON.parse(text) as OtelcolLine];
  } catch {
    return []; // what is said before there is a logger
  }
}
