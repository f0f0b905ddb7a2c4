import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type * as http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { NewKey } from '../../src/keys/new-key.ts';
import { createSqliteStore } from '../../src/store/sqlite/store.ts';
import { startCollector } from './collector.ts';
import type { CollectorOptions } from './collector.ts';
import { callGrpc, connectGrpc, readRefusal } from './grpc-client.ts';
import { openKeyService } from './key-service.ts';
import { startKeygateProcess } from './keygate-process.ts';
import type { KeygateProcess } from './keygate-process.ts';

export const ACTOR = { name: 'test' };

/** A gateway of two workers, and its store from outside, as the command line sees it. */
export async function startWorkers(t: TestContext, config: object = {}, collecting: CollectorOptions = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'keygate-workers-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'keys.db');
  const collector = await startCollector(t, collecting);
  const whole = (own: object): Readonly<Record<string, unknown>> => ({
    workers: 2,
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    store: { sqlite: { path } },
    canary: { interval: '0s' },
    ...own,
  });
  const keygate = await startKeygateProcess(t, whole(config));
  const store = createSqliteStore({ path });
  t.after(() => store.close());
  const keys = openKeyService(store);
  let made = 0;
  return {
    collector,
    keygate,
    keys,
    configure: (own: object) => keygate.configure(whole(own)),
    async createKey(key: Partial<NewKey> = {}) {
      const { text, record } = await keys.create({ kind: 'ingestion', name: `key ${(made += 1)}`, ...key }, ACTOR);
      return { text, id: record.id };
    },
    /** Two connections, which are at one worker each. */
    connectBoth: async () => (await connectSome(t, keygate, 2)) as [http2.ClientHttp2Session, http2.ClientHttp2Session],
  };
}

/** One after the other, each when the one before it has been heard of, so that each worker gets its part. */
export async function connectSome(
  t: TestContext,
  keygate: KeygateProcess,
  count: number,
): Promise<http2.ClientHttp2Session[]> {
  const sessions: http2.ClientHttp2Session[] = [];
  for (let i = 0; i < count; i++) sessions.push(await connectGrpc(t, keygate.addresses.grpc));
  for (const session of sessions) assert.equal(await send(session, keygate.key), '0');
  return sessions;
}

/** `0`, or the code and the reason. */
export async function send(session: http2.ClientHttp2Session, key: string): Promise<string> {
  const answer = await callGrpc(session, { headers: { 'x-api-key': key } });
  return answer.code === 0 ? '0' : `${answer.code} ${readRefusal(answer).reason}`;
}
