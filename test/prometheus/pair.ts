import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:http2';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answerGrpc, startCollector } from '../support/collector.ts';
import type { Collector, CollectorOptions } from '../support/collector.ts';
import { connectGrpc, frame, openGrpc } from '../support/grpc-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { startRedis } from '../support/redis.ts';
import type { Scope } from '../support/scope.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { Link } from '../support/tcp-proxy.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { atRedis, operatorOf, PATIENT, repeat, startSender } from './gateways.ts';
import type { Sender } from './gateways.ts';
import type { Runbooks, Scene } from './runbooks.ts';
import type { Watch } from './watch.ts';

const JOB = 'keygate-pair';
const LOGS_PATH = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
/** A change is heard after that; one that just missed a read, after three times that, which is less than FRESH_FOR. */
const FEED_DELAY_MS = 500;
const FRESH_FOR = '3s';
const OTHER_HOST = '127.0.0.2';

/** Two gateways of one store, in front of two collectors that have one name. */
export interface Pair {
  readonly job: string;
  readonly near: Scene;
  /** The one whose change feed comes through the link. */
  readonly far: Scene;
  /** Of a key in their store. */
  readonly keyId: string;
  setLink(link: Link): void;
  /** Of the two collectors, one, which has an address of its own. */
  readonly other: { close(): Promise<void>; restart(): Promise<void> };
  /** Whether the collectors' pipelines of logs are stuck: they take data and do not answer. */
  setLogs(state: 'well' | 'stuck'): void;
  /** To the near one, with a good key. */
  send(perSecond: number): Promise<Sender>;
  /** As a sender of logs whose deadline is short. */
  sendLogsImpatiently(): Promise<{ stop(): Promise<void> }>;
}

/** `namesLibrary` has programs take the names of hosts from a file of ours. */
export async function openPair(scope: Scope, namesLibrary: string): Promise<Pair> {
  const redis = await startRedis();
  scope.after(() => redis.stop());
  const link = await startTcpProxy(redis.port);
  scope.after(() => link.close());

  let logs: 'well' | 'stuck' = 'well';
  const options: CollectorOptions = {
    onGrpc(stream, { path }) {
      if (path !== LOGS_PATH || logs === 'well') answerGrpc(stream);
    },
  };
  const one = await startCollector(scope, options);
  const [grpc, http] = [one.grpcUrl, one.httpUrl].map((url) => Number(new URL(url).port));
  assert.ok(grpc !== undefined && http !== undefined);
  const startOther = (): Promise<Collector> =>
    startCollector(scope, { ...options, host: OTHER_HOST, ports: { grpc, http } });
  let other = await startOther();
  const hosts = join(await temporaryDirectory(scope), 'hosts');
  await writeFile(hosts, `127.0.0.1 collectors.test\n${OTHER_HOST} collectors.test\n`);

  const operator = operatorOf(atRedis(redis.url));
  const { id, key } = await operator.createKey('payments');
  const token = await operator.createToken();
  const start = (name: string, port: number): Promise<KeygateProcess> =>
    startKeygateProcess(
      scope,
      {
        upstream: { grpc: `http://collectors.test:${grpc}`, http: `http://collectors.test:${http}` },
        store: { redis: { url: `redis://127.0.0.1:${port}`, ...PATIENT } },
        cache: { freshFor: FRESH_FOR },
        replica: { name },
        canary: { interval: '1s' },
      },
      { env: { LD_PRELOAD: namesLibrary, NSS_WRAPPER_HOSTS: hosts } },
    );
  const near = await start('near', redis.port);
  const far = await start('far', link.port);
  return {
    job: JOB,
    near: { keygate: near, redis, token },
    far: { keygate: far, redis, token },
    keyId: id,
    setLink: link.set,
    other: {
      close: () => other.close(),
      async restart() {
        other = await startOther();
      },
    },
    setLogs: (state) => void (logs = state),
    send: (perSecond) => startSender(scope, near.addresses.grpc, () => key, perSecond),
    async sendLogsImpatiently() {
      const session = await connectGrpc(scope, near.addresses.grpc);
      return repeat(scope, 100, async () => {
        const stream = openGrpc(session, { path: LOGS_PATH, headers: { 'x-api-key': key } });
        stream.resume();
        stream.end(frame(Buffer.from('logs')));
        await delay(200);
        stream.close(constants.NGHTTP2_CANCEL);
      });
    },
  };
}

export async function onPair(pair: Pair, watch: Watch, runbooks: Runbooks): Promise<void> {
  const sender = await pair.send(10);
  await Promise.all([
    (async () => {
      await withOneCollector(pair, watch, runbooks);
      await withStuckPipeline(pair, watch, runbooks);
    })(),
    (async () => {
      await withSlowFeed(pair, watch, runbooks);
      await withoutFeed(pair, watch, runbooks);
    })(),
  ]);
  await sender.stop();
  await withoutSenders(pair, watch, runbooks);
}

/** One of two collectors ends; the other gets what it would have got. */
async function withOneCollector({ near, other }: Pair, watch: Watch, runbooks: Runbooks): Promise<void> {
  const labels = { instance: near.keygate.addresses.ops, protocol: 'grpc' };
  await other.close();
  await watch.fires('KeygateUpstreamEjected', labels);
  assert.match(await runbooks.follow('KeygateUpstreamEjected', { at: near }), /127\.0\.0\.2/);
  await other.restart();
  await watch.clears('KeygateUpstreamEjected', labels);
}

/** The collectors take logs and do not answer; who sends them does not wait for long. */
async function withStuckPipeline(pair: Pair, watch: Watch, runbooks: Runbooks): Promise<void> {
  pair.setLogs('stuck');
  const impatient = await pair.sendLogsImpatiently();
  await watch.fires('KeygateSendersGiveUp', { job: pair.job });
  const said = await runbooks.follow('KeygateSendersGiveUp', { at: pair.near });
  assert.match(said, /signal="logs",protocol="grpc",verdict="cancelled"/);
  pair.setLogs('well');
  await watch.clears('KeygateSendersGiveUp', { job: pair.job });
  await impatient.stop();
}

/** Between a gateway and Redis is something that holds back what the feed says. */
async function withSlowFeed({ far, setLink }: Pair, watch: Watch, runbooks: Runbooks): Promise<void> {
  const labels = { instance: far.keygate.addresses.ops };
  setLink({ feedDelayMs: FEED_DELAY_MS });
  await watch.fires('KeygateRevocationSlow', labels);
  assert.match(await runbooks.follow('KeygateRevocationSlow', { at: far }), /^keygate_change_propagation_seconds_sum/m);
  setLink('open');
  await watch.clears('KeygateRevocationSlow', labels);
}

/** The feed of a gateway stops, and its other connection to Redis does not: the other gateway waits for it in vain. */
async function withoutFeed({ near, far, keyId, setLink }: Pair, watch: Watch, runbooks: Runbooks): Promise<void> {
  const behind = { instance: far.keygate.addresses.ops };
  const asking = { instance: near.keygate.addresses.ops };
  setLink('held-feed');
  await Promise.all([
    watch.fires('KeygateFeedBehind', behind),
    watch.fires('KeygateFeedDown', behind),
    watch.fires('KeygateRevocationBroken', asking),
  ]);
  const ofFar = await runbooks.follow('KeygateFeedBehind', { at: far, id: keyId });
  assert.match(ofFar, /^keygate_feed_up 0$[\s\S]*^far +\| no answer/m);
  assert.match(ofFar, /^near +\| /m);
  const ofNear = await runbooks.follow('KeygateRevocationBroken', { at: near });
  assert.match(ofNear, /replicas that have not applied a revocation: far/);
  setLink('open');
  await Promise.all([
    watch.clears('KeygateFeedBehind', behind),
    watch.clears('KeygateFeedDown', behind),
    watch.clears('KeygateRevocationBroken', asking),
  ]);
}

/** Whoever sent sends nothing any more; then it does again, and goes on. */
async function withoutSenders(pair: Pair, watch: Watch, runbooks: Runbooks): Promise<void> {
  await watch.fires('KeygateTrafficDrops', { job: pair.job });
  assert.match(await runbooks.follow('KeygateTrafficDrops', { at: pair.near }), /^403$/m);
  await pair.send(10);
  await watch.clears('KeygateTrafficDrops', { job: pair.job });
}
