import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import type { Port } from '../../../src/plane/plane.ts';
import { createSpread } from '../../../src/workers/spread.ts';
import type { Seat } from '../../../src/workers/spread.ts';

/** Workers with names, which take what they are given at once unless they are slow. */
function setUp(maxConnections = 1_000) {
  const turnedAway: Port[] = [];
  const spread = createSpread<Seat>({
    maxConnections: () => maxConnections,
    turnedAway: (port) => turnedAway.push(port),
  });
  const passed: string[] = [];
  const sockets: Socket[] = [];
  return {
    spread,
    passed,
    turnedAway,
    worker(name: string, isSlow = false): Seat {
      const seat: Seat = {
        pass() {
          passed.push(name);
          if (!isSlow) queueMicrotask(() => spread.taken(seat));
        },
      };
      spread.join(seat);
      return seat;
    },
    async arrive(count: number, port: Port = 'grpc') {
      for (let i = 0; i < count; i++) {
        const socket = new Socket();
        sockets.push(socket);
        spread.arrived(port, socket);
        await Promise.resolve();
      }
    },
    refused: () => sockets.filter(({ destroyed }) => destroyed).length,
  };
}

const counts = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries(
    Array.from(
      Map.groupBy(names, (name) => name),
      ([name, all]) => [name, all.length],
    ),
  );

describe('connections', () => {
  it('go to each worker in equal parts, those of both ports together', async () => {
    const { worker, arrive, passed } = setUp();
    worker('a');
    worker('b');
    await arrive(3, 'grpc');
    await arrive(3, 'http');
    assert.deepEqual(counts(passed), { a: 3, b: 3 });
  });

  it('go to the worker that has the fewest, so that one that was replaced soon has as many as the others', async () => {
    const { spread, worker, arrive, passed } = setUp();
    const a = worker('a');
    worker('b');
    await arrive(100);
    spread.leave(a);
    worker('new');
    passed.length = 0;
    await arrive(50);
    assert.deepEqual(counts(passed), { new: 50 });
    await arrive(20);
    assert.deepEqual(counts(passed), { new: 60, b: 10 });
  });

  it('make room when they end', async () => {
    const { spread, worker, arrive, passed } = setUp();
    const a = worker('a');
    worker('b');
    await arrive(4);
    spread.closed(a, 'grpc', 2);
    passed.length = 0;
    await arrive(2);
    assert.deepEqual(counts(passed), { a: 2 });
  });

  it('are held up by a worker that is stuck no more than one at a time', async () => {
    const { worker, arrive, passed } = setUp();
    worker('stuck', true);
    worker('b');
    await arrive(10);
    assert.deepEqual(counts(passed), { stuck: 1, b: 9 });
  });

  it('wait while all are busy, and go on as each has taken one', async () => {
    const { spread, worker, arrive, passed } = setUp();
    const a = worker('a', true);
    await arrive(3);
    assert.equal(passed.length, 1);
    spread.taken(a);
    assert.equal(passed.length, 2);
    worker('b');
    assert.deepEqual(passed, ['a', 'a', 'b']);
  });

  it('are closed above the bound of their port, those that wait included', async () => {
    const { worker, arrive, refused, turnedAway } = setUp(3);
    await arrive(2);
    worker('a', true);
    await arrive(3);
    assert.equal(refused(), 2);
    await arrive(3, 'http');
    assert.equal(refused(), 2);
    assert.deepEqual(turnedAway, ['grpc', 'grpc']);
  });

  it('are taken again once others have ended', async () => {
    const { spread, worker, arrive, refused } = setUp(2);
    const a = worker('a');
    await arrive(3);
    assert.equal(refused(), 1);
    spread.closed(a, 'grpc', 1);
    await arrive(1);
    assert.equal(refused(), 1);
  });

  it('that wait go to whoever is there when no others will come, and are closed if nobody is', async () => {
    const { spread, worker, arrive, passed, refused } = setUp();
    const a = worker('a', true);
    await arrive(3);
    spread.flush();
    assert.deepEqual([passed.length, refused()], [3, 0]);
    spread.leave(a);
    await arrive(2);
    spread.flush();
    assert.equal(refused(), 2);
  });

  it('go to no worker that is leaving, and those that it has are counted until it has left', async () => {
    const { spread, worker, arrive, passed, refused } = setUp(4);
    const a = worker('a');
    worker('b');
    await arrive(2);
    spread.dismiss(a);
    await arrive(3);
    assert.deepEqual([counts(passed), refused()], [{ a: 1, b: 3 }, 1]);
    spread.leave(a);
    await arrive(1);
    assert.deepEqual([counts(passed), refused()], [{ a: 1, b: 4 }, 1]);
  });

  it('wait for somebody to come while the only worker is leaving', async () => {
    const { spread, worker, arrive, passed } = setUp();
    spread.dismiss(worker('a'));
    await arrive(2);
    worker('b');
    await Promise.resolve();
    assert.deepEqual(counts(passed), { b: 2 });
  });

  it('of a worker that is gone are not counted for the one in its place', async () => {
    const { spread, worker, arrive, passed } = setUp();
    const a = worker('a');
    await arrive(2);
    spread.leave(a);
    worker('new');
    spread.closed(a, 'grpc', 2); // said before it ended
    spread.taken(a);
    worker('b');
    passed.length = 0;
    await arrive(2);
    assert.deepEqual(counts(passed), { new: 1, b: 1 });
  });
});
