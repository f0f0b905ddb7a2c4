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

/** A real gateway on a Redis of its own, with what an operator and senders do to it. */
export interface Stage {
  readonly keygate: KeygateProcess;
  readonly redis: TestRedis;
  readonly collector: { close(): Promise<void>; restart(): Promise<void> };
  cli(...args: string[]): Promise<string>;
  /** A service token that may do everything. */
  createToken(): Promise<string>;
  createKey(name: string, ...flags: string[]): Promise<{ readonly id: string; readonly key: string }>;
  /** Sends with the key until told to stop. The answers are the gateway's business. */
  send(key: () => string, perSecond: number, userAgent?: string): Promise<Sender>;
}

export interface Sender {
  readonly codes: readonly number[];
  stop(): Promise<void>;
}

export async function openStage(scope: Scope): Promise<Stage> {
  const redis = await startRedis({ hasFile: true });
  scope.after(() => redis.stop());
  const place = await mkdtemp(join(tmpdir(), 'keygate-stage-'));
  scope.after(() => rm(place, { recursive: true, force: true }));
  let collector: Collector = await startCollector(scope);
  const { grpcUrl, httpUrl } = collector;
  const keygate = await startKeygateProcess(scope, {
    upstream: { grpc: grpcUrl, http: httpUrl },
    store: { redis: { url: redis.url } },
    cache: {
      freshFor: '2s',
      // Small enough that a spray of keys fills it.
      maxUnknown: 100,
      snapshot: { path: join(place, 'snapshot'), secret: 'of the snapshot of this stage', interval: '1s' },
    },
  });

  async function cli(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runHere(args, { KEYGATE_STORE_REDIS_URL: redis.url });
    assert.equal(code, 0, `keygate ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  return {
    keygate,
    redis,
    collector: {
      close: () => collector.close(),
      async restart() {
        const portOf = (url: string): number => Number(new URL(url).port);
        collector = await startCollector(scope, { ports: { grpc: portOf(grpcUrl), http: portOf(httpUrl) } });
      },
    },
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
    async send(key, perSecond, userAgent = 'otelcol/1.0') {
      const session = await connectGrpc(scope, keygate.addresses.grpc);
      const codes: number[] = [];
      const end = new AbortController();
      const sending = (async () => {
        while (!end.signal.aborted) {
          const { code } = await callGrpc(session, { headers: { 'x-api-key': key(), 'user-agent': userAgent } });
          codes.push(code);
          await delay(1_000 / perSecond);
        }
      })();
      const stop = async (): Promise<void> => {
        end.abort();
        await sending;
        session.destroy();
      };
      // A gateway that ends takes the connection with it, which is no fault then.
      sending.catch(() => {});
      scope.after(() => end.abort());
      return { codes, stop };
    },
  };
}
