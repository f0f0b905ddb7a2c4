import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { debianLibrary, debianProgram } from '../../conformance/toolchain.ts';
import { startProgram } from '../../support/program.ts';
import type { Scope } from '../../support/scope.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { readExample } from '../example.ts';
import { arrivedNames } from '../sdks/account.ts';
import { createLedger, tally } from '../shippers/account.ts';
import { writeLines } from '../shippers/lines.ts';
import type { Order, Shipper } from '../shippers/situations.ts';

/** syslog-ng of Debian, which follows a file of log and sends its lines as config/syslog-ng/keygate.conf says. */

/** What is said beside the example. */
const SETTINGS = {
  '3.38, the example': '',
  '3.38, and `response-action(403 => drop)`': 'response-action(403 => drop)',
} as const satisfies Readonly<Record<string, string>>;

export type Column = keyof typeof SETTINGS;
export const COLUMNS = Object.keys(SETTINGS) as readonly Column[];

export const dropsRefused = (column: Column): boolean => SETTINGS[column] !== '';

const run = promisify(execFile);

export function findSyslogNg(): string {
  const program = debianProgram('syslog-ng', 'syslog-ng-core');
  // Beside the folders in which libraries are.
  debianLibrary('../syslog-ng/3.38/libhttp.so', 'syslog-ng-mod-http');
  return program;
}

export async function startSyslogNg(scope: Scope, { place, column, key }: Order<Column>): Promise<Shipper> {
  const directory = await temporaryDirectory(scope);
  const file = (name: string): string => join(directory, name);
  const [config, source, control, said] = [file('conf'), file('app.log'), file('control'), file('said')] as const;
  const example = readExample('syslog-ng', 'keygate.conf', {
    '/var/log/app.log': source,
    'https://keygate.example.com:4318': place.endpoint('http/json'),
    '/etc/syslog-ng/keygate-ca.crt': place.ca,
    'time-reopen(5)': `time-reopen(1) ${SETTINGS[column]}`,
    'batch-lines(500)': 'batch-lines(20)', // some requests every second
    'disk-buffer(': `disk-buffer(dir("${directory}") `,
  });
  writeFileSync(config, `${example}\nlog { source { internal(); }; destination { file("${said}"); }; };\n`);
  const written = writeLines(scope, source, { name: `${column}-` });
  const program = findSyslogNg();
  const own = ['-R', file('persist'), '-c', control, '-p', file('pid')];
  const running = startProgram(scope, [program, '-F', '--no-caps', '-f', config, ...own], {
    env: { ...process.env, INGESTION_API_KEY: key },
  });
  await running.until('syslog-ng listens to its control program', () => existsSync(control));
  const arrived = createLedger(place.collector, (arrival) => arrivedNames([arrival], 'logs'));
  return {
    hasArrived: () => [...arrived().keys()].some((text) => text.startsWith(`${column}-`)),
    async account(untilMs) {
      const { stdout } = await run(`${program}-ctl`, ['stats', '-c', control]);
      const dropped = Number(/^dst\.http;d_keygate[^\n]*;dropped;(\d+)$/m.exec(stdout)?.[1]);
      return { ...tally(written(untilMs), arrived()), dropped };
    },
    log: () => running.output() + (existsSync(said) ? readFileSync(said, 'utf8') : ''),
  };
}
