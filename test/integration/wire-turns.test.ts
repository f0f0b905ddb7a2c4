import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { connectRaw } from '../support/http-client.ts';
import { block, END_HEADERS, END_STREAM, FRAME, frame, PREFACE, SETTINGS, SETTINGS_ACK } from '../support/h2-frames.ts';
import { HOST, LINE } from '../support/http1-client.ts';
import { request } from '../support/raw-http.ts';
import { until } from '../support/wait.ts';
import { startWireServer } from '../support/wire-server.ts';

/** More than is worked off in one turn, and less than comes with one read. */
const MANY = 600;
/** No two of them are the same, so nothing is remembered of one for the next. */
const http1 = (n: number): string => request(LINE, [HOST, `X-API-Key: nobody-${n}`, 'Content-Length: 0']);

const head = (n: number) =>
  block([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/opentelemetry.proto.collector.trace.v1.TraceService/Export'],
    [':authority', 'gateway'],
    ['content-type', 'application/grpc'],
    ['x-api-key', `nobody-${n}`],
  ]);
const http2 = (n: number): Buffer => frame(FRAME.HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, head(n));

const HELLO = Buffer.concat([PREFACE, SETTINGS, SETTINGS_ACK]);

const crowds = [
  {
    protocol: 'HTTP/1.1',
    hello: Buffer.alloc(0),
    crowd: Buffer.from(Array.from({ length: MANY }, (_, n) => http1(n)).join('')),
    one: Buffer.from(http1(MANY)),
    answers: (text: string): number => text.split('HTTP/1.1 403').length - 1,
  },
  {
    protocol: 'HTTP/2',
    hello: HELLO,
    crowd: Buffer.concat(Array.from({ length: MANY }, (_, n) => http2(n))),
    one: http2(0),
    answers: (text: string): number => text.split('missing_credential').length + text.split('unknown_key').length - 2,
  },
];

for (const { protocol, hello, crowd, one, answers } of crowds) {
  describe(`a connection over ${protocol} on which hundreds of requests come at once`, () => {
    it('does not keep the others waiting until the last of them is answered', async (t) => {
      const server = await startWireServer(t);
      const open = async () => {
        const socket = await connectRaw(t, server.port);
        let text = '';
        socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
        socket.write(hello);
        return { socket, answers: () => answers(text) };
      };
      const [busy, quiet] = [await open(), await open()];
      await until('both were accepted', () => server.connections.size >= (hello.length > 0 ? 2 : 0));
      busy.socket.write(crowd);
      quiet.socket.write(one);
      let answeredBefore = -1;
      quiet.socket.on('data', () => {
        if (answeredBefore === -1 && quiet.answers() > 0) answeredBefore = server.reports.length;
      });
      await until('all are answered', () => busy.answers() === MANY && quiet.answers() === 1, 20_000);
      assert.equal(server.reports.length, MANY + 1);
      assert.ok(answeredBefore < MANY, `${answeredBefore} were answered before it`);
    });
  });
}
