import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { callGrpc, connectGrpc, frame, openGrpc, readGrpc, readRefusal } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { until } from '../support/wait.ts';
import { startWireServer } from '../support/wire-server.ts';

const KIB = 1024;

/** A collector that has stopped to read, before senders of bodies of 200 KiB. */
const stalled = { takesNothing: true, onCall: () => {}, limits: { maxHeldBytes: 500 * KIB } } as const;
const body = frame(Buffer.alloc(200 * KIB));

describe('what all bodies together may hold', () => {
  it('is not exceeded: who would have to wait beyond it is told to come back, and the others go on', async (t) => {
    const server = await startWireServer(t, stalled);
    const headers = { 'x-api-key': server.key };
    const sessions = await Promise.all([1, 2, 3].map(() => connectGrpc(t, server.url)));
    const waiting = sessions.slice(0, 2).map((session) => {
      const stream = openGrpc(session, { headers });
      stream.end(body);
      return readGrpc(stream);
    });
    await until('two wait', () => server.held.total === 2 * body.length);

    const [, , third] = sessions;
    assert.ok(third);
    const refused = readRefusal(await callGrpc(third, { headers, body }));
    assert.deepEqual(
      [refused.code, refused.reason, refused.retrySeconds !== undefined],
      [14, 'upstream_overloaded', true],
    );
    const overHttp = await callHttp(server.url, { headers, body });
    assert.deepEqual([overHttp.status, overHttp.headers['retry-after'] !== undefined], [503, true]);
    assert.deepEqual(server.spent, ['held_bytes ended', 'held_bytes ended']);
    assert.equal(server.held.total, 2 * body.length);

    for (const call of server.calls.slice(0, 2)) {
      call.caller.taken(body.length);
      call.answer(Buffer.from('answer'));
    }
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ code }) => code),
      [0, 0],
    );
    assert.equal(server.held.total, 0);
    const later = callGrpc(third, { headers, body });
    await until('there is room again', () => server.held.total === body.length);
    server.calls.at(-1)?.answer(Buffer.from('answer'));
    assert.equal((await later).code, 0);
  });

  it('is nothing to those whose bytes leave as they come', async (t) => {
    const server = await startWireServer(t, { limits: { maxHeldBytes: 500 * KIB } });
    server.held.total = 1 << 30; // as if of others
    const session = await connectGrpc(t, server.url);
    assert.equal((await callGrpc(session, { headers: { 'x-api-key': server.key }, body })).code, 0);
    assert.equal(server.held.total, 1 << 30);
  });

  it('is given back whatever becomes of a request', async (t) => {
    const server = await startWireServer(t, stalled);
    const session = await connectGrpc(t, server.url);
    const send = () => {
      const stream = openGrpc(session, { headers: { 'x-api-key': server.key } });
      stream.on('error', () => {});
      stream.write(body);
      return stream;
    };
    const left = send();
    await until('it waits', () => server.held.total === body.length);
    left.destroy();
    await until('its sender has left', () => server.held.total === 0);
    send();
    await until('another waits', () => server.held.total === body.length);
    server.calls.at(-1)?.caller.failed('upstream_unavailable');
    assert.equal(server.held.total, 0);
    send();
    await until('one more waits', () => server.held.total === body.length);
    session.destroy();
    await until('its connection is gone', () => server.held.total === 0);
  });
});
