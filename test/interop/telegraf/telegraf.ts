import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { goProgram } from '../../conformance/toolchain.ts';
import { startProgram } from '../../support/program.ts';
import type { Scope } from '../../support/scope.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { readExample } from '../example.ts';
import { arrivedNames } from '../sdks/account.ts';
import { createLedger, tally } from '../shippers/account.ts';
import { writeLines } from '../shippers/lines.ts';
import type { Order, Shipper } from '../shippers/situations.ts';

/** Telegraf, which reads metrics from a file and sends them as config/telegraf/keygate.conf says. */

export const COLUMNS = ['1.37, `outputs.opentelemetry`'] as const;
export type Column = (typeof COLUMNS)[number];

/** Of its plugins, those that are used. */
export const buildTelegraf = (): string =>
  goProgram({
    folder: import.meta.dirname,
    package: 'github.com/influxdata/telegraf/cmd/telegraf',
    tags: ['custom', 'inputs.tail', 'outputs.opentelemetry', 'parsers.influx'],
  });

const NAME = 'line';

export async function startTelegraf(scope: Scope, { place, key }: Order<Column>): Promise<Shipper> {
  const directory = await temporaryDirectory(scope);
  const [config, source] = [join(directory, 'conf'), join(directory, 'metrics')] as const;
  const example = readExample('telegraf', 'keygate.conf', {
    'keygate.example.com:4317': new URL(place.endpoint('grpc')).host,
    '/etc/telegraf/keygate-ca.crt': place.ca,
    '[agent]\n': '[agent]\n  interval = "1s"\n  flush_interval = "1s"\n  metric_batch_size = 10\n',
  });
  writeFileSync(
    config,
    `${example}\n[[inputs.tail]]\n  files = ["${source}"]\n  data_format = "influx"\n  from_beginning = true\n`,
  );
  const written = writeLines(scope, source, { name: NAME, toLine: (text) => `${text} value=1` });
  const running = startProgram(scope, [buildTelegraf(), '--config', config], {
    env: { ...process.env, INGESTION_API_KEY: key },
  });
  const arrived = createLedger(place.collector, (arrival) => arrivedNames([arrival], 'metrics'));
  return {
    hasArrived: () => arrived().size > 0,
    async account(untilMs) {
      const wanted = written(untilMs).map((text) => `${text}_value`);
      const counts = [...running.output().matchAll(/(\d+) metrics (?:have been|were) dropped/g)];
      return { ...tally(wanted, arrived()), dropped: counts.reduce((sum, [, n]) => sum + Number(n), 0) };
    },
    log: running.output,
  };
}
