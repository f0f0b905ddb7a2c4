import assert from 'node:assert/strict';
import type * as net from 'node:net';
import { describe, it } from 'node:test';
import { FAREWELL_MS } from '../../src/plane/wire/server-connection.ts';
import { closed, connectHttp1, outcomes } from '../support/http1-client.ts';
import { connectRaw } from '../support/http-client.ts';
import { until } from '../support/wait.ts';
import { answerHead } from '../support/wire-server.ts';

describe('a connection of HTTP/1.1 ends', () => {
  const limits = { headersTimeoutMs: 200, bodyTimeoutMs: 400, idleTimeoutMs: 300 };

  it('without a status when its head is too slow', async (t) => {
    const client = await connectHttp1(t, { limits });
    client.write('POST /v1/tra');
    await closed(client);
    assert.deepEqual([client.text(), client.server.spent], ['', ['time ended']]);
  });

  it('without a status when its body is too slow, and the collector is told', async (t) => {
    const client = await connectHttp1(t, { limits, onCall: () => {} });
    client.write(client.good(['Content-Length: 10'], 'abc'));
    await closed(client);
    assert.deepEqual([client.text(), outcomes(client)], ['', ['cancelled']]);
    assert.equal(client.server.calls[0]?.isCancelled, true);
  });

  it('when it is idle for longer than was announced', async (t) => {
    const client = await connectHttp1(t, { limits });
    client.write(client.good(['Content-Length: 0']));
    await until('it is answered', () => client.statuses().length === 1);
    await closed(client);
    assert.match(client.text(), /\r\nkeep-alive: timeout=0\r\n/);
  });

  it('when its last answer is not read, be it the last of all or not', async (t) => {
    for (const fields of [[], ['Connection: close']]) {
      const client = await connectHttp1(t, { onCall: (call) => call.answer(Buffer.alloc(16 << 20)) });
      const { server, socket } = client;
      socket.pause();
      client.write(client.good(['Content-Length: 0', ...fields]));
      await until('it is answered', () => server.reports.length === 1);
      const [served] = server.connections;
      served?.check(performance.now()); // from the first look on
      assert.deepEqual([server.spent, server.connections.size], [[], 1]);
      served?.check(performance.now() + server.context.limits.idleTimeoutMs + 1_000);
      await until('it is given up', () => server.connections.size === 0);
      assert.deepEqual(server.spent, ['unread_output ended']);
    }
  });

  it('when its sender has left, and the collector is told', async (t) => {
    for (const leave of [(socket: net.Socket) => socket.end(), (socket: net.Socket) => socket.resetAndDestroy()]) {
      const client = await connectHttp1(t, { onCall: () => {} });
      client.write(client.good(['Content-Length: 0']));
      await until('it is there', () => client.server.calls.length === 1);
      leave(client.socket);
      await until('it is given up', () => client.server.calls[0]?.isCancelled === true);
      assert.deepEqual(outcomes(client), ['cancelled']);
      await until('nothing is left', () => client.server.connections.size === 0);
    }
  });

  it('after the answer that says so', async (t) => {
    const client = await connectHttp1(t);
    client.write(client.good(['Content-Length: 0', 'Connection: close']) + client.good(['Content-Length: 0']));
    await closed(client);
    assert.deepEqual([client.statuses(), client.server.calls.length], [[200], 1]);
  });

  it('when the gateway drains, with the answer that was under way, which says so', async (t) => {
    const client = await connectHttp1(t, { onCall: () => {} });
    client.write(client.good(['Content-Length: 0']));
    await until('it is there', () => client.server.calls.length === 1);
    client.server.drain();
    client.server.calls[0]?.answer(Buffer.from('the last'));
    await closed(client);
    assert.match(client.text(), /\r\nconnection: close\r\n\r\n/);
    assert.match(client.text(), /the last/);
  });

  it('when the gateway drains, with the answer to a request that its sender sends before it can know', async (t) => {
    const client = await connectHttp1(t);
    client.write(client.good(['Content-Length: 0']));
    await until('it is answered', () => client.statuses().length === 1);
    client.server.drain();
    client.write(client.good(['Content-Length: 0']));
    await closed(client);
    assert.deepEqual(client.statuses(), [200, 200]);
    assert.deepEqual(client.text().match(/^(?:connection|keep-alive): \w+/gm), [
      'keep-alive: timeout',
      'connection: close',
    ]);
  });

  it('when the gateway drains behind an answer that had begun without saying so, not before the next one', async (t) => {
    const client = await connectHttp1(t, { onCall: () => {} });
    client.write(client.good(['Content-Length: 0']));
    await until('it is there', () => client.server.calls.length === 1);
    const caller = client.server.calls[0]?.caller;
    caller?.answered(answerHead(200, ['content-type', 'application/x-protobuf']), [], false);
    await until('it has begun', () => client.statuses().length === 1);
    client.server.drain();
    caller?.answerBytes(Buffer.from('the last but one'), true);
    client.write(client.good(['Content-Length: 0']));
    await until('the next one is there', () => client.server.calls.length === 2);
    client.server.calls[1]?.answer(Buffer.from('the last'));
    await closed(client);
    assert.deepEqual(client.statuses(), [200, 200]);
  });

  it('when the gateway drains and nothing comes for a moment, be it a new connection or one that was used', async (t) => {
    const client = await connectHttp1(t);
    const fresh = await connectRaw(t, client.server.port);
    fresh.write('\r\n');
    client.write(client.good(['Content-Length: 0']));
    await until('both are served', () => client.statuses().length === 1 && client.server.connections.size === 2);
    client.server.drain();
    const now = performance.now();
    for (const served of client.server.connections) {
      served.check(now); // from the first look on
      served.check(now + FAREWELL_MS - 1);
    }
    client.write(client.good(['Content-Length: 0']));
    await until('it is answered', () => client.statuses().length === 2);
    await closed(client);
    const [served] = client.server.connections;
    assert.ok(served);
    served.check(now + FAREWELL_MS);
    await until('it is closed', () => fresh.closed);
  });

  it('though its client keeps the other half open', async (t) => {
    const client = await connectHttp1(t);
    client.socket.allowHalfOpen = true;
    client.write('nonsense\r\n\r\n');
    await until('it is answered', () => client.statuses().length === 1);
    await until('nothing is left', () => client.server.connections.size === 0, 3_000);
  });
});
