import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { block, connectFrames, END_HEADERS, frame, FRAME, uint32 } from '../support/h2-frames.ts';
import { connectRaw } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { until } from '../support/wait.ts';

/** What was cut on the way must never look whole to the collector: it would store half a batch and say that all is well. */

const HEAD = 'POST /v1/traces HTTP/1.1';
const CANCEL = uint32(8);

test('an upload that is cut is cut at the collector too', async (t) => {
  const collector = await startCollector(t);
  const limits = { bodyTimeout: '1s', headersTimeout: '100ms' };
  const gateway = await startGateway(t, { upstream: { http: collector.httpUrl }, limits });
  const { text: key } = await gateway.createKey();
  const fields = ['Host: gateway', `X-API-Key: ${key}`];
  const { port } = gateway.addresses.http;

  const begin = {
    'HTTP/1.1 with a length': async () => {
      const socket = await connectRaw(t, port);
      socket.write(request(HEAD, [...fields, 'Content-Length: 100'], 'abc'));
      return { socket, reset: () => socket.resetAndDestroy() };
    },
    'HTTP/1.1 in chunks': async () => {
      const socket = await connectRaw(t, port);
      socket.write(request(HEAD, [...fields, 'Transfer-Encoding: chunked'], '3\r\nabc\r\n'));
      return { socket, reset: () => socket.write('zz\r\n') };
    },
    'HTTP/2': async () => {
      const { socket, send } = await connectFrames(t, port);
      const head = block([
        [':method', 'POST'],
        [':scheme', 'http'],
        [':authority', 'gateway'],
        [':path', '/v1/traces'],
        ['x-api-key', key],
      ]);
      await send(frame(FRAME.HEADERS, END_HEADERS, 1, head), frame(FRAME.DATA, 0, 1, Buffer.from('abc')));
      return { socket, reset: () => void send(frame(FRAME.RST_STREAM, 0, 1, CANCEL)) };
    },
  };

  for (const [how, start] of Object.entries(begin)) {
    for (const [end, cut] of [
      ['the client ends its side', ({ socket }) => socket.end()],
      ['the client’s connection breaks', ({ socket }) => socket.destroy()],
      ['the client resets it or sends nonsense', ({ reset }) => reset()],
      ['it takes longer than it may', () => {}],
    ] as readonly [string, (upload: Awaited<ReturnType<typeof start>>) => unknown][]) {
      await t.test(`over ${how}, because ${end}`, async () => {
        const [begun, wereCut] = [collector.begun(), collector.cut()];
        const upload = await start();
        await until('the collector has seen its beginning', () => collector.begun() === begun + 1);
        cut(upload);
        await until('it is cut at the collector', () => collector.cut() === wereCut + 1);
        assert.deepEqual(collector.arrivals, []);
        upload.socket.destroy();
      });
    }
  }
});
