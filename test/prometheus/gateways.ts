import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../support/collector.ts';
import type { Collector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { startRedis } from '../support/redis.ts';
import type { TestRedis } from '../support/redis.ts';
import { runHere } from '../support/run-cli.ts';
import type { Scope } from '../support/scope.ts';

/** What an operator does to a key store, by the command line. */
export interface Operator {
  cli(...args: string[]): Promise<string>;
  /** A service token that may do everything. */
  createToken(): Promise<string>;
  createKey(name: string, ...flags: string[]): Promise<{ readonly id: string; readonly key: string }>;
}

/** A real gateway on a Redis of its own, with what an operator and senders do to it. */
export interface Stage extends Operator {
  readonly keygate: KeygateProcess;
  readonly redis: TestRedis;
  readonly collector: { close(): Promise<void>; restart(): Promise<void> };
  /** The file of its snapshot. */
  readonly snapshot: string;
  /** Sends with the key until told to stop. The answers are the gateway's business. */
  send(key: () => string, perSecond: number, userAgent?: string): Promise<Sender>;
}

export interface Sender {
  readonly codes: readonly number[];
  stop(): Promise<void>;
}

/** The machine of the tests has much to do: what is slow there is not away. */
export const PATIENT = { commandTimeout: '1s', socketTimeout: '2s' };

/** The command line straight on a Redis. */
export const atRedis = (url: string): Readonly<Record<string, string>> => ({
  KEYGATE_STORE_REDIS_URL: url,
  KEYGATE_STORE_REDIS_COMMAND_TIMEOUT: PATIENT.commandTimeout,
  KEYGATE_STORE_REDIS_SOCKET_TIMEOUT: PATIENT.socketTimeout,
});

/** `store` is the variables that say where it is. */
export function operatorOf(store: Readonly<Record<string, string>>): Operator {
  async function cli(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runHere(args, store);
    assert.equal(code, 0, `keygate ${args.join(' ')}: ${stderr}`);
    return stdout;
  }
  return {
    cli,
    async createToken() {
      const made = await cli('service-token', 'create', '--name', 'sre', '--roles', 'admin', '-o', 'json');
      const token = /svctok-[A-Za-z0-9]+/.exec(made)?.[0];
      assert.ok(token !== undefined, made);
      return token;
    },
    async createKey(name, ...flags) {
      const made = await cli('ingestion-api-key', 'create', '--name', name, '-o', 'json', ...flags);
      const { apiKey, id } =
        (JSON.parse(made) as Record<string, { apiKey: string; id: number }>)['ingestion-api-key'] ?? {};
      assert.ok(apiKey !== undefined && id !== undefined);
      return { id: String(id), key: apiKey };
    },
  };
}

/** One request after the other, on one connection. */
export async function startSender(
  scope: Scope,
  address: string,
  key: () => string,
  perSecond: number,
  userAgent = 'otelcol/1.0',
): Promise<Sender> {
  const session = await connectGrpc(scope, address);
  const codes: number[] = [];
  const sending = repeat(scope, 1_000 / perSecond, async () => {
    const { code } = await callGrpc(session, { headers: { 'x-api-key': key(), 'user-agent': userAgent } });
    codes.push(code);
  });
  return {
    codes,
    async stop() {
      await sending.stop();
      session.destroy();
    },
  };
}

/** Does something again and again, with a pause in between, until it is told to stop. */
export function repeat(scope: Scope, pauseMs: number, act: () => Promise<void>): { stop(): Promise<void> } {
  const end = new AbortController();
  const acting = (async () => {
    while (!end.signal.aborted) {
      await act();
      await delay(pauseMs);
    }
  })();
  // What ends takes the other side with it, which is no fault then.
  acting.catch(() => {});
  scope.after(() => end.abort());
  return {
    async stop() {
      end.abort();
      await acting;
    },
  };
}

export async function openStage(scope: Scope): Promise<Stage> {
  const redis = await startRedis({ hasFile: true });
  scope.after(() => redis.stop());
  const place = await mkdtemp(join(tmpdir(), 'keygate-stage-'));
  scope.after(() => rm(place, { recursive: true, force: true }));
  const snapshot = join(place, 'snapshot');
  let collector: Collector = await startCollector(scope);
  const { grpcUrl, httpUrl } = collector;
  const keygate = await startKeygateProcess(scope, {
    upstream: { grpc: grpcUrl, http: httpUrl },
    store: { redis: { url: redis.url, ...PATIENT } },
    cache: {
      freshFor: '2s',
      // Small enough that a spray of keys fills it.
      maxUnknown: 100,
      snapshot: { path: snapshot, secret: 'of the snapshot of this stage', interval: '1s' },
    },
    usage: { interval: '1s' },
  });

  return {
    ...operatorOf(atRedis(redis.url)),
    keygate,
    redis,
    snapshot,
    collector: {
      close: () => collector.close(),
      async restart() {
        const portOf = (url: string): number => Number(new URL(url).port);
        collector = await startCollector(scope, { ports: { grpc: portOf(grpcUrl), http: portOf(httpUrl) } });
      },
    },
    send: (key, perSecond, userAgent) => startSender(scope, keygate.addresses.grpc, key, perSecond, userAgent),
  };
}
