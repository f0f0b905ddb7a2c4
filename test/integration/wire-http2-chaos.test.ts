import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { answerAtEnd, data, GRPC_HEAD, grpcAnswer, headers, startFrameServer } from '../support/frame-server.ts';
import type { ServedConnection } from '../support/frame-server.ts';
import { FRAME, frame, uint32 } from '../support/h2-frames.ts';
import type { Frame } from '../support/h2-frames.ts';
import { until } from '../support/wait.ts';
import { openCall, openUpstream, send } from '../support/wire-upstream.ts';
import type { RecordedCall } from '../support/wire-upstream.ts';

const LASTS_MS = 1_500;
const MAX_OPEN = 1_000;

/** Numbers that come again with the same seed. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below;
}

/** Does something that a collector, or a broken one, may do. */
function doAnything(random: (below: number) => number, id: number, { send: say, socket }: ServedConnection): void {
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random(256)));
  const setting = (name: number, value: number): Buffer =>
    frame(FRAME.SETTINGS, 0, 0, Buffer.concat([Buffer.from([0, name]), uint32(value)]));
  const rare = random(10) === 0;
  const anything = [
    () => say(grpcAnswer(id)),
    () => say(grpcAnswer(id)),
    () => say(grpcAnswer(id)),
    () => say(headers(id, GRPC_HEAD)),
    () => say(data(id, noise(random(400)), random(4) === 0)),
    () => say(headers(id, [['grpc-status', String(random(20))]], true)),
    () =>
      say(
        headers(
          id,
          [
            [':status', String(90 + random(500))],
            ['content-length', String(random(10))],
          ],
          rare,
        ),
      ),
    () => say(frame(FRAME.RST_STREAM, 0, id, uint32(random(14)))),
    () => say(frame(FRAME.WINDOW_UPDATE, 0, id, uint32(random(rare ? 2 ** 31 : 100_000)))),
    () => say(frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1 + random(rare ? 2 ** 31 - 1 : 100_000)))),
    () => say(setting(3, random(200))),
    () => say(setting(4, random(rare ? 2 ** 31 : 70_000))),
    () => say(frame(FRAME.PING, random(2), 0, noise(8))),
    () => rare && say(frame(FRAME.GOAWAY, 0, 0, Buffer.concat([uint32(random(2) ? 2 ** 31 - 1 : id), uint32(0)]))),
    () => rare && say(frame(random(14), random(256), id, noise(random(60)))),
    () => rare && say(frame(FRAME.HEADERS, 4, id, noise(random(40)))),
    () => rare && say(noise(random(100))),
    () => rare && void socket.destroy(),
    () => rare && void socket.resetAndDestroy(),
    () => setTimeout(() => socket.resume(), random(20)).unref() && socket.pause(),
  ];
  anything[random(anything.length)]?.();
}

function refill({ streamId, payload }: Frame, { send: say }: ServedConnection): void {
  if (payload.length === 0) return;
  for (const id of [0, streamId]) say(frame(FRAME.WINDOW_UPDATE, 0, id, uint32(payload.length)));
}

const seed = Number(process.env['SEED'] ?? randomInt(1, 2 ** 31 - 1));
it(`whatever a collector does, each call ends, once, and the next one is served (SEED=${seed})`, async (t) => {
  const random = numbersFrom(seed);
  let isCalm = false;
  const server = await startFrameServer(t, {
    onFrame(one, connection) {
      if (one.type === FRAME.DATA && (isCalm || random(2) === 0)) refill(one, connection);
      if (isCalm) answerAtEnd(one, connection);
      else doAnything(random, Math.max(1, one.streamId - 2 * random(4)), connection);
    },
  });
  const upstream = openUpstream(t, server.url, { connectTimeoutMs: 300, placeTimeoutMs: 300 });
  const open = new Set<RecordedCall>();
  const endsAt = performance.now() + LASTS_MS;
  while (performance.now() < endsAt) {
    for (let i = 0; i < 10 && open.size < MAX_OPEN; i++) {
      const recorded = openCall(upstream);
      open.add(recorded);
      void recorded.ended.then(() => open.delete(recorded));
      let written = 0;
      for (let parts = random(3); parts >= 0; parts--) {
        const bytes = random(random(10) === 0 ? 60_000 : 300);
        written += bytes;
        recorded.call?.write(Buffer.alloc(bytes), parts === 0);
      }
      assert.ok(recorded.takenBytes <= written);
    }
    for (const recorded of open) {
      if (random(300) > 0) continue;
      recorded.call?.cancel();
      open.delete(recorded);
    }
    await delay(1);
  }
  isCalm = true;
  for (const { socket } of server.connections) socket.destroy();
  await until('all have ended', () => open.size === 0);
  await until('calls are served again', async () => (await send(upstream).ended).grpcStatus === 0);
  for (let i = 0; i < 20; i++) assert.equal((await send(upstream).ended).grpcStatus, 0);
});
