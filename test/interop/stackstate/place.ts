import assert from 'node:assert/strict';
import { startCollector } from '../../support/collector.ts';
import type { Arrival, Collector } from '../../support/collector.ts';
import { startKeygateProcess } from '../../support/keygate-process.ts';
import type { KeygateProcess } from '../../support/keygate-process.ts';
import { startRedis } from '../../support/redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { runHere } from '../../support/run-cli.ts';
import type { Scope } from '../../support/scope.ts';

/** Keygate in the place of StackState's router, before a collector and something that records what a receiver would get. */
export interface Place {
  readonly keygate: KeygateProcess;
  readonly redis: TestRedis;
  readonly collector: Collector;
  readonly receiver: Collector;
  readonly url: string;
  readonly adminUrl: string;
  createKey(name?: string): Promise<string>;
  createToken(role: string): Promise<string>;
}

export const UNKNOWN_KEY = 'a-key-that-nobody-made';

export async function startPlace(scope: Scope): Promise<Place> {
  const redis = await startRedis();
  scope.after(() => redis.stop());
  const [collector, receiver] = [await startCollector(scope), await startCollector(scope)];
  const keygate = await startKeygateProcess(scope, {
    store: { redis: { url: redis.url } },
    upstream: { http: collector.httpUrl },
    routes: { agent: { target: receiver.httpUrl } },
    usage: { interval: '1s' },
  });
  /** Past the gateway, as an operator makes the first ones. */
  const create = async (...args: string[]): Promise<Record<string, string>> => {
    const { code, stdout, stderr } = await runHere([...args, '--config', keygate.configFile, '-o', 'json'], {});
    assert.equal(code, 0, stderr);
    return Object.values(JSON.parse(stdout) as Record<string, Record<string, string>>)[0] ?? {};
  };
  return {
    keygate,
    redis,
    collector,
    receiver,
    url: `http://${keygate.addresses.http}`,
    adminUrl: `http://${keygate.addresses.admin}`,
    createKey: async (name = 'agents') => (await create('ingestion-api-key', 'create', '--name', name))['apiKey'] ?? '',
    createToken: async (role) =>
      (await create('service-token', 'create', '--name', role, '--roles', role))['token'] ?? '',
  };
}

/** Nothing behind the gateway has the key in any way, and all of it says whose it is. */
export function assertIdentified(arrivals: readonly Arrival[], key: string): void {
  assert.ok(arrivals.length > 0, 'nothing arrived');
  for (const { path, headers, body } of arrivals) {
    const all = decodeURIComponent(
      `${path}\n${JSON.stringify(headers)}\n${body.toString('latin1')}`.replaceAll('%', '%25'),
    );
    assert.ok(!all.includes(key) && !all.includes(btoa(`apikey:${key}`)), `the key went on to ${path}`);
    assert.deepEqual(headers['x-keygate-key-name'], ['agents']);
  }
}
