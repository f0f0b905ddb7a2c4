import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Scope } from './scope.ts';
import { until } from './wait.ts';

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
  const directory = await mkdtemp(join(tmpdir(), 'keygate-process-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
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
  const { child, exited, output, errors } = runServe(t, directory, file, 'plane' in config, env);
  const serving = (): Record<string, string> | undefined => {
    const line = output()
      .split('\n')
      .find((text) => text.includes('keygate is serving'));
    return line === undefined ? undefined : (JSON.parse(line) as Record<string, string>);
  };
  const log = (): Record<string, unknown>[] =>
    output()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  await Promise.race([
    until('keygate serves', () => serving() !== undefined, START_MS),
    exited.then(({ stdout, stderr }) =>
      Promise.reject(new Error(`keygate ended instead of serving: ${stdout}${stderr}`)),
    ),
  ]);
  const {
    address_grpc: grpc = '',
    address_http: http = '',
    address_admin: admin = '',
    address_ops: ops = '',
    address_authz_grpc: authzGrpc = '',
    address_authz_http: authzHttp = '',
  } = serving() ?? {};
  return {
    pid: child.pid ?? 0,
    addresses: { grpc, http, admin, ops },
    authz: { grpc: authzGrpc, http: authzHttp },
    key: KEY,
    exited,
    configFile: file,
    signal: (name) => void child.kill(name),
    configure,
    log,
    logged: (message) => log().filter((line) => line['message'] === message),
    workers: () =>
      readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .filter(Boolean)
        .map(Number),
    peakMegabytes() {
      const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
      if (kilobytes === undefined) throw new Error(`keygate has ended: ${output()}${errors()}`);
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
  const directory = await mkdtemp(join(tmpdir(), 'keygate-process-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'keygate.yaml');
  await writeFile(file, stringify(config));
  return runServe(t, directory, file, 'plane' in config).exited;
}

function runServe(
  t: Scope,
  directory: string,
  file: string,
  namesPlane: boolean,
  added: Readonly<Record<string, string>> = {},
) {
  // A test that names a plane is for that one, whichever the others are run on.
  const { KEYGATE_PLANE, ...env } = process.env;
  const child: ChildProcess = spawn(BIN, ['serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: directory,
    env: { ...env, ...(KEYGATE_PLANE !== undefined && !namesPlane && { KEYGATE_PLANE }), ...added },
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = new Promise<ExitedProcess>((resolve) => {
    child.once('close', (code) => {
      process.off('exit', kill);
      resolve({ code, stdout, stderr });
    });
  });
  t.after(async () => {
    kill();
    await exited;
  });
  return { child, exited, output: () => stdout, errors: () => stderr };
}
