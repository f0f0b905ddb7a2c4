import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { runHere } from '../support/run-cli.ts';
import { openShell } from '../support/runbook.ts';
import type { Shell, ShellOptions } from '../support/runbook.ts';
import type { Scope } from '../support/scope.ts';

export interface MadeKey {
  readonly id: string;
  readonly key: string;
}

/** A real gateway and its operator, for pages that are followed. */
export interface Place {
  readonly keygate: KeygateProcess;
  /** The command line straight on the store. */
  cli(...args: string[]): Promise<string>;
  createKey(name: string, ...flags: string[]): Promise<MadeKey>;
  createToken(role: string): Promise<string>;
  /** The status of gRPC that a sender with this key gets. */
  statusOf(key: string, userAgent?: string): Promise<number>;
  /** Sends with whatever key there is at the time, until it is stopped. */
  send(key: () => string): Promise<{ readonly codes: readonly number[]; stop(): Promise<void> }>;
  /** A shell in which the page's names for the gateway lead here. */
  shell(options?: Partial<ShellOptions>): Shell;
}

export type StoreOptions =
  | { readonly redis: { readonly url: string } }
  | { readonly sqlite: { readonly path: string } };

export function aDirectory(t: Scope): string {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-page-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function openPlace(t: Scope, store: StoreOptions): Promise<Place> {
  const collector = await startCollector(t);
  const keygate = await startKeygateProcess(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    store,
    usage: { interval: '1s' },
    replica: { name: 'gateway-1' },
  });
  const { grpc, http, admin, ops } = keygate.addresses;
  const own: Record<string, string> =
    'redis' in store ? { KEYGATE_STORE_REDIS_URL: store.redis.url } : { KEYGATE_STORE_SQLITE_PATH: store.sqlite.path };

  async function cli(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runHere(args, own);
    assert.equal(code, 0, `keygate ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  async function statusOf(key: string, userAgent = 'collector/1.0'): Promise<number> {
    const session = await connectGrpc(t, grpc);
    const { code } = await callGrpc(session, { headers: { 'x-api-key': key, 'user-agent': userAgent } });
    session.destroy();
    return code;
  }

  return {
    keygate,
    cli,
    statusOf,
    async createKey(name, ...flags) {
      const made = await cli('ingestion-api-key', 'create', '--name', name, '-o', 'json', ...flags);
      const { apiKey, id } =
        (JSON.parse(made) as Record<string, { apiKey: string; id: number }>)['ingestion-api-key'] ?? {};
      assert.ok(apiKey !== undefined && id !== undefined, made);
      return { id: String(id), key: apiKey };
    },
    async createToken(role) {
      const made = await cli('service-token', 'create', '--name', `a ${role}`, '--roles', role, '-o', 'json');
      const [token] = /svctok-[A-Za-z0-9]+/.exec(made) ?? [];
      assert.ok(token !== undefined, made);
      return token;
    },
    async send(key) {
      const codes: number[] = [];
      const end = new AbortController();
      const sending = (async () => {
        while (!end.signal.aborted) {
          codes.push(await statusOf(key()));
          await delay(20);
        }
      })();
      sending.catch(() => {}); // stop() says it
      t.after(() => end.abort());
      return {
        codes,
        async stop() {
          end.abort();
          await sending;
        },
      };
    },
    shell: ({ names = [], env = {}, programs = {} } = {}) =>
      openShell(t, {
        names: [
          ...names,
          ['http://gateway:7070', `http://${admin}`],
          ['http://localhost:7070', `http://${admin}`],
          ['http://gateway:9464', `http://${ops}`],
          ['http://localhost:9464', `http://${ops}`],
          ['http://localhost:4318', `http://${http}`],
        ],
        env: { ...own, ...env },
        programs,
      }),
  };
}
