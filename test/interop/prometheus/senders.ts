import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import * as http from 'node:http';
import { join } from 'node:path';
import { parse } from 'yaml';
import { debianProgram, goProgram } from '../../conformance/toolchain.ts';
import { startPrometheus } from '../../prometheus/prometheus.ts';
import { listenOnLoopback } from '../../support/collector.ts';
import type { Scope } from '../../support/scope.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createLedger, tally } from '../shippers/account.ts';
import type { Order, Shipper } from '../shippers/situations.ts';
import { countsOf } from './counts.ts';
import { writtenSamples } from './written.ts';

/** The Prometheuses that write, and how each of them sends its key. */

const EXAMPLE = join(import.meta.dirname, '../../../config/prometheus/remote-write.yaml');

/** Without service discovery, which would bring the SDK of every cloud; `file` is always in it. */
const buildThree = (): string =>
  goProgram({
    folder: import.meta.dirname,
    package: 'github.com/prometheus/prometheus/cmd/prometheus',
    tags: ['remove_all_sd'],
  });

interface Sender {
  readonly program: () => string;
  /** Instead of `authorization` in the example. */
  readonly auth?: (key: string) => object;
}

export const SENDERS = {
  '2.42, `basic_auth`': {
    program: () => debianProgram('prometheus'),
    auth: (key) => ({ basic_auth: { username: 'apikey', password: key } }),
  },
  '2.42, `authorization`, type `StackState`': {
    program: () => debianProgram('prometheus'),
    auth: (key) => ({ authorization: { type: 'StackState', credentials: key } }),
  },
  '3.13, the example: type `ApiKey`, key in a file': { program: buildThree },
  '3.13, `authorization`, type `Bearer`': {
    program: buildThree,
    auth: (key) => ({ authorization: { credentials: key } }),
  },
  '3.13, `headers`: `x-api-key`': { program: buildThree, auth: (key) => ({ headers: { 'x-api-key': key } }) },
} as const satisfies Readonly<Record<string, Sender>>;

export type Column = keyof typeof SENDERS;
export const COLUMNS = Object.keys(SENDERS) as readonly Column[];

interface Section {
  readonly url: string;
  readonly authorization: object;
  readonly queue_config: object;
}

/** As the example says it, but for where and as whom it sends; and in smaller requests, of which there are some every second. */
export async function startWriter(
  scope: Scope,
  { place, column, key, settings = {} }: Order<Column>,
): Promise<Shipper> {
  const { program, auth }: Sender = SENDERS[column];
  const { remote_write: sections } = parse(readFileSync(EXAMPLE, 'utf8')) as { remote_write: readonly [Section] };
  const file = join(await temporaryDirectory(scope), 'key');
  await writeFile(file, key);
  const [{ authorization, queue_config, ...section }] = sections;
  const config = {
    ...section,
    url: `${place.endpoint('http/protobuf')}/api/v1/write`,
    ...(auth?.(key) ?? { authorization: { ...authorization, credentials_file: file } }),
    tls_config: { ca_file: place.ca },
    queue_config: { ...queue_config, batch_send_deadline: '1s', max_samples_per_send: 10, ...settings },
  };
  const job = `job-${COLUMNS.indexOf(column)}`;
  const prometheus = await startPrometheus(scope, {
    program: program(),
    jobs: { [job]: [await startTarget(scope)] },
    config: { remote_write: [config] },
  });
  const arrived = createLedger(place.collector, writtenSamples);
  return {
    hasArrived: () => [...arrived().keys()].some((sample) => sample.includes(JSON.stringify(['job', job]))),
    /** All that it has scraped is in its own database, whatever became of it elsewhere. */
    async account(untilMs) {
      const samples = await prometheus.samples(`{job="${job}"}[10m]`);
      const wanted = samples.filter((sample) => Number(sample.slice(sample.lastIndexOf('@') + 1)) <= untilMs);
      const { failed, retried } = await countsOf(prometheus);
      return { ...tally(wanted, arrived()), dropped: failed, retried };
    },
    log: prometheus.log,
  };
}

const SERIES = 20;

/** What is scraped: some counters, on a plain server. */
async function startTarget(scope: Scope): Promise<string> {
  let scrapes = 0;
  const server = http.createServer((_request, response) => {
    scrapes += 1;
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(Array.from({ length: SERIES }, (_, i) => `interop_total{i="${i}"} ${scrapes * i}\n`).join(''));
  });
  const port = await listenOnLoopback(server);
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${port}`;
}
