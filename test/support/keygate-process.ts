import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startProgram } from './program.ts';
import type { Program } from './program.ts';
import type { Scope } from './scope.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const BIN = fileURLToPath(new URL('../../bin/keygate', import.meta.url));

export interface ExitedProcess {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KeygateProcess {
  readonly pid: number;
  readonly addresses: { readonly grpc: string; readonly http: string; readonly admin: string; readonly ops: string };
  /** Where other proxies ask; empty if its configuration names no such port. */
  readonly authz: { readonly grpc: string; readonly http: string };
  /** A key that this gateway knows from its configuration. */
  readonly key: string;
  readonly exited: Promise<ExitedProcess>;
  /** The file it was started with. */
  readonly configFile: string;
  signal(name: NodeJS.Signals): void;
  /** Has this configuration take the place of the one in its file. */
  configure(config: Readonly<Record<string, unknown>>): Promise<void>;
  /** What it has logged so far, line by line. */
  log(): readonly Readonly<Record<string, unknown>>[];
  /** The lines with this message that it has logged so far. */
  logged(message: string): Readonly<Record<string, unknown>>[];
  /** The processes that it has started. */
  workers(): number[];
  /** The most memory it has held so far, in MB. */
  peakMegabytes(): number;
  /** The sum of the series of a metric whose labels contain these. */
  metric(name: string, label?: string): Promise<number>;
}

/** Puts a file where it belongs, or another one in its place. */
export type PlaceFile = (path: string, text: string) => Promise<void>;

export interface ProcessOptions {
  /** How its configuration is written. */
  readonly place?: PlaceFile;
  /** Beside what there is of the tests' own. */
  readonly env?: Readonly<Record<string, string>>;
}

const KEY = 'a-key-of-the-child-process';
const LOOPBACK = { address: '127.0.0.1:0' };
/** On a machine that has a lot else to do. */
const START_MS = 120_000;

/** `keygate serve` with a configuration file, as an operator starts it: for what must be seen from outside the process. */
export async function startKeygateProcess(
  t: Scope,
  config: Readonly<Record<string, unknown>>,
  { place = writeFile, env = {} }: ProcessOptions = {},
): Promise<KeygateProcess> {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'config', 'keygate.yaml');
  await mkdir(dirname(file));
  const configure = (next: Readonly<Record<string, unknown>>): Promise<void> =>
    place(
      file,
      stringify({
        listen: { grpc: LOOPBACK, http: LOOPBACK },
        admin: LOOPBACK,
        ops: LOOPBACK,
        store: { sqlite: { path: join(directory, 'keys.db') } },
        keys: { receiverKeys: [{ name: 'child', key: KEY }] },
        ...next,
        // No load balancer has to notice that it goes.
        limits: { drainDelay: '0s', ...(next['limits'] as object | undefined) },
      }),
    );
  await configure(config);
  const program = startServe(t, directory, file, 'plane' in config, env);
  const serving = (): Record<string, string> | undefined => {
    const line = program
      .stdout()
      .split('\n')
      .find((text) => text.includes('keygate is serving'));
    return line === undefined ? undefined : (JSON.parse(line) as Record<string, string>);
  };
  const log = (): Record<string, unknown>[] =>
    program
      .stdout()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await program.until('keygate serves', () => serving() !== undefined, START_MS);
  const {
    address_grpc: grpc = '',
    address_http: http = '',
    address_admin: admin = '',
    address_ops: ops = '',
    address_authz_grpc: authzGrpc = '',
    address_authz_http: authzHttp = '',
  } = serving() ?? {};
  return {
    pid: program.pid,
    addresses: { grpc, http, admin, ops },
    authz: { grpc: authzGrpc, http: authzHttp },
    key: KEY,
    exited: exitOf(program),
    configFile: file,
    signal: program.signal,
    configure,
    log,
    logged: (message) => log().filter((line) => line['message'] === message),
    workers: () =>
      readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .filter(Boolean)
        .map(Number),
    peakMegabytes() {
      const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.[1];
      if (kilobytes === undefined) throw new Error(`keygate has ended: ${program.output()}`);
      return Number(kilobytes) / 1_024;
    },
    async metric(name, label = '') {
      const text = await (await fetch(`http://${ops}/metrics`)).text();
      const lines = text.split('\n').filter((line) => /^[^{ ]+/.exec(line)?.[0] === name && line.includes(label));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
  };
}

/** For a configuration that it does not start with; resolves when the process has ended. */
export async function runKeygateServe(t: Scope, config: Readonly<Record<string, unknown>>): Promise<ExitedProcess> {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'keygate.yaml');
  await writeFile(file, stringify(config));
  return exitOf(startServe(t, directory, file, 'plane' in config));
}

function startServe(
  t: Scope,
  directory: string,
  file: string,
  namesPlane: boolean,
  added: Readonly<Record<string, string>> = {},
): Program {
  // A test that names a plane is for that one, whichever the others are run on.
  const { KEYGATE_PLANE, ...env } = process.env;
  return startProgram(t, [BIN, 'serve', '--config', file], {
    cwd: directory,
    env: { ...env, ...(KEYGATE_PLANE !== undefined && !namesPlane && { KEYGATE_PLANE }), ...added },
  });
}

async function exitOf({ ended, stdout, stderr }: Program): Promise<ExitedProcess> {
  const code = await ended;
  return { code, stdout: stdout(), stderr: stderr() };
}
