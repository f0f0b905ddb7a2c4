import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { startCollector } from '../test/support/collector.ts';
import type { Arrival } from '../test/support/collector.ts';
import { callGrpc, connectGrpc } from '../test/support/grpc-client.ts';
import { callHttp } from '../test/support/http-client.ts';
import type { Scope } from '../test/support/scope.ts';
import type { CreatedKey } from '../src/keys/service.ts';
import type { Peer, Place, RunningPeer, StartOptions } from './peers.ts';
import { portOf } from './processes.ts';
import { bodyOf, GRPC_PATH, HTTP_PATH } from './scenarios.ts';

/** What a server has to do right before anybody measures how fast it does it. */

const PERMISSION_DENIED = 7;
const BODY_BYTES = 100_000;
/** A peer hears of a revocation only when what it remembers has expired. */
const REVOKED_WITHIN_MS = 20_000;
const POLL_MS = 100;

interface Answer {
  readonly http: number;
  readonly grpc: number;
}
const ACCEPTED: Answer = { http: 200, grpc: 0 };
const REFUSED: Answer = { http: 403, grpc: PERMISSION_DENIED };

/** Starts the server in front of a collector that looks at what arrives, and rejects with what is wrong. */
export async function prove(peer: Peer, place: Omit<Place, 'sink'>, { isTls = false }: StartOptions): Promise<void> {
  const cleanups: (() => unknown)[] = [];
  const scope: Scope = { after: (cleanup) => void cleanups.push(cleanup) };
  try {
    const collector = await startCollector(scope);
    const sink = { grpc: portOf(collector.grpcUrl), http: portOf(collector.httpUrl) };
    const running = await peer.start({ ...place, sink }, { isTls });
    cleanups.push(() => running.stop());
    const session = await connectGrpc(scope, `${isTls ? 'https' : 'http'}://127.0.0.1:${running.grpc}`, {
      ca: readFileSync(place.certificate.certPath),
    });

    const send = (key: string): Promise<Answer> => sendBoth(session, running, key);
    const { good } = place.keys;
    assert.deepEqual(await send(good.text), ACCEPTED, 'a good key is accepted');
    for (const protocol of ['grpc', 'http'] as const) {
      checkArrival(
        collector.arrivals.filter((each) => each.protocol === protocol),
        good,
      );
    }
    const arrived = collector.arrivals.length;
    assert.deepEqual(await send(`${good.text.slice(0, -1)}!`), REFUSED, 'a bad key is refused');
    assert.equal(collector.arrivals.length, arrived, 'nothing of a refused request arrives');
    if (peer.knowsKeys) await proveRevocation(place, send);
  } catch (error) {
    throw new Error(`${peer.label} does not do what it is measured for`, { cause: error });
  } finally {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  }
}

async function sendBoth(
  session: Awaited<ReturnType<typeof connectGrpc>>,
  running: RunningPeer,
  key: string,
): Promise<Answer> {
  const headers = { authorization: `Bearer ${key}`, 'x-keygate-key-id': '1', 'x-keygate-key-name': 'forged' };
  const grpc = await callGrpc(session, {
    path: GRPC_PATH,
    headers,
    body: bodyOf({ protocol: 'grpc', bodyBytes: BODY_BYTES }),
  });
  const http = await callHttp(`http://127.0.0.1:${running.http}`, {
    path: HTTP_PATH,
    headers,
    body: bodyOf({ protocol: 'http', bodyBytes: BODY_BYTES }),
  });
  return { http: http.status, grpc: grpc.code };
}

function checkArrival(arrivals: readonly Arrival[], key: CreatedKey): void {
  const [arrival, ...others] = arrivals;
  assert.ok(arrival !== undefined && others.length === 0, 'a request arrives once');
  const sent = createHash('sha256').update(bodyOf({ protocol: arrival.protocol, bodyBytes: BODY_BYTES }));
  assert.equal(arrival.bodySha256, sent.digest('hex'), 'the body arrives as it was sent');
  assert.ok(!JSON.stringify(arrival.headers).includes(key.text), 'the key is not passed on');
  assert.deepEqual(arrival.headers['x-keygate-key-id'], [key.record.id], 'the collector is told whose key it was');
  assert.deepEqual(arrival.headers['x-keygate-key-name'], [key.record.name], 'and by its name');
}

async function proveRevocation({ keys }: Omit<Place, 'sink'>, send: (key: string) => Promise<Answer>): Promise<void> {
  const key = await keys.create(`revoked ${performance.now()}`);
  assert.deepEqual(await send(key.text), ACCEPTED, 'a new key is accepted');
  await keys.revoke(key);
  const deadline = performance.now() + REVOKED_WITHIN_MS;
  let answer = await send(key.text);
  while (answer.http === ACCEPTED.http && performance.now() < deadline) {
    await delay(POLL_MS);
    answer = await send(key.text);
  }
  await delay(POLL_MS); // both protocols have to have heard of it
  assert.deepEqual(await send(key.text), REFUSED, 'a revoked key is refused');
}
