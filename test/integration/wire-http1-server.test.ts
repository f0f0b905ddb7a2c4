import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import type { TestContext } from 'node:test';
import fc from 'fast-check';
import { UNKNOWN } from '../../src/keys/answer.ts';
import type { KeyAnswer } from '../../src/keys/answer.ts';
import { CHUNKED, closed, connectHttp1, HOST, LINE, outcomes } from '../support/http1-client.ts';
import { callHttp, connectRaw } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { noise } from '../support/transports.ts';
import { stillness, until } from '../support/wait.ts';
import { answerHead, startWireServer } from '../support/wire-server.ts';

describe('requests on one connection', () => {
  it('go on one after the other, each when the one before it was answered', async (t) => {
    const client = await connectHttp1(t, { onCall: () => {} });
    const { server } = client;
    client.write(client.good(['Content-Length: 3'], 'one') + client.good([CHUNKED], '3\r\ntwo\r\n0\r\n\r\n'));
    await until('the first is there', () => server.calls.length === 1);
    await until(
      'nothing more comes',
      stillness(() => server.calls.length, 50),
    );
    assert.equal((await server.calls[0]?.body)?.toString(), 'one');
    server.calls[0]?.answer(Buffer.from('first'));
    await until('the second is there', () => server.calls.length === 2);
    assert.equal((await server.calls[1]?.body)?.toString(), 'two');
    server.calls[1]?.answer(Buffer.from('second'));
    await until('both are answered', () => client.text().includes('second'));
    assert.ok(client.text().indexOf('first') < client.text().indexOf('second'));
  });

  it('come to the same however they are chopped', { timeout: 50_000 }, async (t) => {
    const server = await startWireServer(t);
    const key = `X-API-Key: ${server.key}`;
    const bodies = ['', 'a', 'b'.repeat(300)];
    const requests = bodies.flatMap((body) => [
      request(LINE, [HOST, key, `Content-Length: ${body.length}`], body),
      request(LINE, [HOST, key, CHUNKED, 'traceparent: 00-1'], chunks(body)),
      request(LINE, [HOST, `Content-Length: ${body.length}`], body),
    ]);
    const whole = Buffer.from(`\r\n${requests.join('')}${request('GET / HTTP/1.1', [HOST, 'Connection: close'])}`);
    const expected = [200, 200, 403, 200, 200, 403, 200, 200, 403, 404];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(whole.length), { maxLength: 12 }), async (cuts) => {
        const socket = await connectRaw(t, server.port);
        let text = '';
        socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
        // Within the empty line at its beginning, too.
        const places = [0, 1, ...cuts.map((cut) => Math.max(1, cut)).toSorted((a, b) => a - b), whole.length];
        for (const [i, place] of places.slice(1).entries()) {
          socket.write(whole.subarray(places[i], place));
          await new Promise(setImmediate);
        }
        await until('it is closed', () => socket.closed);
        const statuses = Array.from(text.matchAll(/HTTP\/1\.1 (\d{3})/g), ([, status]) => Number(status));
        assert.deepEqual(statuses, expected);
      }),
      { numRuns: 20 },
    );
    const sent = server.calls.map(({ pieces }) => Buffer.concat(pieces).toString());
    assert.deepEqual([...new Set(sent)].toSorted(), bodies.toSorted());
  });

  it('may have one empty line before each, and no more (RFC 9112 section 2.2)', async (t) => {
    const client = await connectHttp1(t);
    const one = client.good(['Content-Length: 3'], 'one');
    client.write(`\r\n${one}\r\n${one}`);
    await until('both are answered', () => client.statuses().length === 2);
    client.write(`\r\n\r\n${one}`);
    await closed(client);
    assert.deepEqual(client.statuses(), [200, 200, 400]);
  });

  it('behind one that is not answered stay with their sender', async (t) => {
    const BYTES = 32 << 20;
    const piece = Buffer.alloc(64 << 10);
    const client = await connectHttp1(t, { onCall: () => {} });
    let taken = 0;
    const send = async (): Promise<void> => {
      client.write(client.good(['Content-Length: 0']) + client.good([`Content-Length: ${BYTES}`]));
      for (; taken < BYTES; taken += piece.length) await new Promise((done) => client.socket.write(piece, done));
    };
    const sending = send();
    await until('the first is there', () => client.server.calls.length === 1);
    await until(
      'nothing moves',
      stillness(() => taken, 300),
    );
    assert.ok(taken < BYTES, 'all of it was taken');
    client.server.calls[0]?.answer(Buffer.alloc(0));
    await sending;
    await until('the second is whole', () => client.server.calls[1]?.isWhole === true);
    assert.equal(client.server.calls[1]?.bytes, BYTES);
  });

  it('are not taken from whoever does not read the answers', async (t) => {
    const client = await connectHttp1(t);
    client.socket.pause();
    const refused = request(LINE, [HOST, 'Content-Length: 0']);
    for (let i = 0; i < 100; i++) client.write(refused.repeat(500));
    await until(
      'reading has stopped',
      stillness(() => client.server.reports.length, 300),
    );
    assert.ok(client.server.reports.length < 45_000, `${client.server.reports.length} of 50,000 were taken`);
    client.socket.resume();
    await until('all are answered', () => client.server.reports.length === 50_000, 30_000);
  });
});

function chunks(body: string): string {
  const pieces = body.match(/.{1,7}/g) ?? [];
  return `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`;
}

describe('a request that cannot be trusted', () => {
  it('is answered, counted, and the last of its connection', async (t) => {
    for (const [bytes, status, outcome] of [
      ['nonsense\r\n\r\n', 400, 'bad_request'],
      ['POST / HTTP/1.1\nHost: x\n\n', 400, 'bad_request'],
      [request(LINE, [HOST, 'Content-Length: 1, 1']), 400, 'bad_request'],
      [request(LINE, [HOST, `a: ${'b'.repeat(20_000)}`]), 431, 'header_limits'],
      [`${LINE}\r\na: ${'b'.repeat(20_000)}`, 431, 'header_limits'],
    ] as const) {
      const client = await connectHttp1(t);
      client.write(bytes + client.good(['Content-Length: 0']));
      await closed(client);
      assert.deepEqual([client.statuses(), outcomes(client)], [[status], [outcome]]);
      const [report] = client.server.reports;
      assert.deepEqual([report?.protocol, report?.peer], ['http', '127.0.0.1']);
      assert.match(client.text(), /\r\nconnection: close\r\n/);
    }
  });

  it('because its head has no end, is refused before more of it is held', async (t) => {
    const client = await connectHttp1(t);
    client.write(`${LINE}\r\n${HOST}\r\nX-A: ${'a'.repeat(20_000)}`);
    await closed(client);
    assert.deepEqual([client.statuses(), outcomes(client), client.server.spent], [[431], ['header_limits'], []]);
  });

  it('because its body is not framed as it must be, is refused, and cancelled at the collector', async (t) => {
    const client = await connectHttp1(t);
    client.write(client.good([CHUNKED], '1\r\nab'));
    await closed(client);
    assert.deepEqual([client.statuses(), outcomes(client)], [[400], ['bad_request']]);
    assert.equal(client.server.calls[0]?.isCancelled, true);
  });

  it('when its answer has begun, is broken off', async (t) => {
    const client = await connectHttp1(t, { onCall: ({ caller }) => caller.answered(answerHead(200, []), [], false) });
    client.write(client.good([CHUNKED], '1\r\na\r\n'));
    await until('the answer has begun', () => client.text().includes('\r\n\r\n'));
    client.write('zz\r\n');
    await closed(client);
    assert.deepEqual([client.statuses(), client.text().includes('\r\n0\r\n')], [[200], false]);
  });
});

describe('a refused request', () => {
  it('leaves its connection to the next one, when its body is not too long', async (t) => {
    const client = await connectHttp1(t);
    const body = 'b'.repeat(900_000);
    client.write(request(LINE, [HOST, `Content-Length: ${body.length}`], body) + client.good(['Content-Length: 0']));
    await until('both are answered', () => client.statuses().length === 2);
    assert.deepEqual(client.statuses(), [403, 200]);
  });

  it('has its connection cut when its body is longer than what is thrown away', async (t) => {
    const client = await connectHttp1(t);
    client.socket.write(request(LINE, [HOST, 'Content-Length: 10000000']));
    client.socket.write(Buffer.alloc(8 << 20));
    await closed(client);
    assert.deepEqual(client.statuses(), [403]);
  });

  it('is told of its refusal, though its body is not framed as it must be', async (t) => {
    const client = await connectHttp1(t);
    client.write(request(LINE, [HOST, CHUNKED], '1\r\nab'));
    await closed(client);
    assert.deepEqual([client.statuses(), outcomes(client)], [[403], ['missing_credential']]);
  });

  it('is the last one when its sender still waits for leave to send the body', async (t) => {
    const client = await connectHttp1(t);
    client.write(request(LINE, [HOST, 'Expect: 100-continue', 'Content-Length: 3']));
    await closed(client);
    assert.deepEqual(client.statuses(), [403]);
  });
});

test('leave to send a body is given when the key was judged', async (t) => {
  const { promise, resolve } = Promise.withResolvers<KeyAnswer>();
  const client = await connectHttp1(t, { lookup: () => promise });
  client.write(client.good(['Expect: 100-continue', 'Content-Length: 3']));
  await until(
    'nothing comes',
    stillness(() => client.text().length, 50),
  );
  assert.equal(client.text(), '');
  resolve(UNKNOWN);
  await closed(client);
  assert.deepEqual(client.statuses(), [403]);
});

test('what comes while the key is looked up goes on with the request', async (t) => {
  let resolve: (answer: KeyAnswer) => void = () => {};
  const looked: KeyAnswer[] = [];
  const client = await connectHttp1(t, {
    lookup: () => new Promise<KeyAnswer>((done) => (resolve = (answer) => (looked.push(answer), done(answer)))),
  });
  const body = noise(100_000);
  client.write(client.good([`Content-Length: ${body.length}`]));
  client.write(body);
  await until(
    'nothing moves',
    stillness(() => client.socket.bytesWritten, 50),
  );
  resolve({ kind: 'unavailable', reason: 'store_timeout' });
  await until('it is answered', () => client.statuses().length === 1);
  assert.deepEqual([client.statuses(), client.server.calls.length], [[503], 0]);
});

describe('what is legal and unusual', () => {
  it('is handed over with its connection and all that was not served', async (t) => {
    const client = await connectHttp1(t);
    const unusual = request('OPTIONS /v1/traces HTTP/1.1', [HOST, 'Content-Length: 3'], 'abc');
    const good = client.good(['Content-Length: 3'], 'one');
    client.write(good + unusual + good);
    await until('all are answered', () => client.statuses().length === 3);
    assert.deepEqual([client.server.handedOver, client.server.calls.length], [[unusual + good], 1]);
    assert.equal(client.server.connections.size, 0);
    assert.equal(client.text().match(/library/g)?.length, 2);
  });

  it('waits until what came before it was answered', async (t) => {
    const client = await connectHttp1(t, { onCall: () => {} });
    client.write(client.good(['Content-Length: 0']) + request('DELETE / HTTP/1.1', [HOST]));
    await until('the first is there', () => client.server.calls.length === 1);
    await until(
      'nothing happens',
      stillness(() => client.server.handedOver.length, 50),
    );
    assert.deepEqual(client.server.handedOver, []);
    client.server.calls[0]?.answer(Buffer.alloc(0));
    await until('both are answered', () => client.statuses().length === 2);
    assert.match(client.text(), /200 OK[^]*200 OK[^]*library/);
  });
});

describe('an answer', () => {
  const answering = async (t: TestContext, status: number, fields: readonly string[], varying: string[], body = '') => {
    const client = await connectHttp1(t, {
      onCall({ caller }) {
        caller.answered(answerHead(status, fields), varying, body === '');
        if (body !== '') caller.answerBytes(Buffer.from(body), true);
      },
    });
    client.write(client.good(['Content-Length: 0', 'Connection: close']));
    await closed(client);
    return client.text().replace(/^date: .*\r\n/im, 'date: now\r\n');
  };
  const HEAD = 'HTTP/1.1 200 OK\r\nx-a: b\r\n';
  const END = 'connection: close\r\n\r\n';

  it('has the length that is known, or comes in chunks', async (t) => {
    const fields = ['x-a', 'b'];
    const known = await answering(t, 200, fields, ['date', 'now', 'content-length', '5'], 'hello');
    assert.equal(known, `${HEAD}date: now\r\ncontent-length: 5\r\n${END}hello`);
    const unknown = await answering(t, 200, fields, [], 'hello');
    assert.equal(unknown, `${HEAD}date: now\r\ntransfer-encoding: chunked\r\n${END}5\r\nhello\r\n0\r\n\r\n`);
    const empty = await answering(t, 200, fields, []);
    assert.equal(empty, `${HEAD}date: now\r\ncontent-length: 0\r\n${END}`);
  });

  it('has no body where there can be none (RFC 9112 section 6.3)', async (t) => {
    assert.equal(await answering(t, 204, [], []), `HTTP/1.1 204 No Content\r\ndate: now\r\n${END}`);
    const unchanged = await answering(t, 304, [], ['content-length', '5']);
    assert.equal(unchanged, `HTTP/1.1 304 Not Modified\r\ndate: now\r\ncontent-length: 5\r\n${END}`);
  });

  it('that is not as long as it says is broken off', async (t) => {
    const long = await answering(t, 200, [], ['content-length', '3'], 'hello');
    assert.ok(!long.includes('hello'));
    const short = await answering(t, 200, [], ['content-length', '9'], 'hello');
    assert.ok(!short.includes('hello'));
  });

  it('is framed for itself, however alike the one before it was', async (t) => {
    const shared = answerHead(200, ['x-a', 'b']);
    const five = ['date', 'now', 'content-length', '5'];
    const answers: [varying: string[], body: string][] = [
      [five, 'hello'],
      [five, 'again'],
      [['date', 'now', 'content-length', '3'], 'bye'],
      [['date', 'now'], 'in chunks'],
      [['date', 'now'], ''],
      [five, 'hello'],
    ];
    const client = await connectHttp1(t, {
      onCall({ caller }) {
        const [varying, body] = answers[client.server.calls.length - 1] ?? [[], ''];
        caller.answered(shared, varying, body === '');
        if (body !== '') caller.answerBytes(Buffer.from(body), true);
      },
    });
    client.write(
      client.good(['Content-Length: 0']).repeat(5) + client.good(['Content-Length: 0', 'Connection: close']),
    );
    await closed(client);
    const head = 'HTTP/1.1 200 OK\r\nx-a: b\r\ndate: now\r\n';
    const kept = 'keep-alive: timeout=300\r\n\r\n';
    assert.equal(
      client.text(),
      [
        `${head}content-length: 5\r\n${kept}hello`,
        `${head}content-length: 5\r\n${kept}again`,
        `${head}content-length: 3\r\n${kept}bye`,
        `${head}transfer-encoding: chunked\r\n${kept}9\r\nin chunks\r\n0\r\n\r\n`,
        `${head}content-length: 0\r\n${kept}`,
        `${head}content-length: 5\r\nconnection: close\r\n\r\nhello`,
      ].join(''),
    );
  });

  it('that breaks off takes none before it along', async (t) => {
    const client = await connectHttp1(t, {
      onCall(call) {
        if (client.server.calls.length === 1) return call.answer(Buffer.from('whole'));
        call.caller.answered(answerHead(200, []), ['content-length', '10'], false);
        call.caller.answerBytes(Buffer.from('half'), false);
        call.caller.failed('upstream_unavailable');
      },
    });
    client.write(client.good(['Content-Length: 0']) + client.good(['Content-Length: 0']));
    await closed(client);
    assert.match(client.text(), /whole/);
    assert.deepEqual(outcomes(client), ['accepted', 'upstream_unavailable']);
  });

  it('that is not read is not taken from the collector', async (t) => {
    const client = await connectHttp1(t, {
      onCall({ caller }) {
        caller.answered(answerHead(200, []), [], false);
        for (let i = 0; i < 640; i++) caller.answerBytes(Buffer.alloc(16_384), false);
      },
    });
    client.socket.pause();
    client.write(client.good(['Content-Length: 0']));
    await until('the answer has begun', () => client.server.calls.length === 1);
    const [call] = client.server.calls;
    await until(
      'nothing moves',
      stillness(() => call?.releasedBytes ?? 0, 100),
    );
    assert.ok((call?.releasedBytes ?? 0) < 640 * 16_384);
    client.socket.resume();
    await until('all is taken', () => call?.releasedBytes === 640 * 16_384);
  });
});

test('a body that the collector does not take is not taken from its sender', async (t) => {
  const client = await connectHttp1(t, { takesNothing: true, onCall: () => {} });
  client.write(client.good(['Content-Length: 16777216']));
  client.socket.write(Buffer.alloc(16 << 20));
  await until('it is there', () => client.server.calls.length === 1);
  const [call] = client.server.calls;
  await until(
    'nothing moves',
    stillness(() => call?.bytes ?? 0, 100),
  );
  const held = call?.bytes ?? 0;
  assert.ok(held < 250_000, `${held} bytes`);
  call?.caller.taken(held);
  await until('more has come', () => (call?.bytes ?? 0) > held);
});

test('a HEAD is told the length of a refusal, and not the refusal', async (t) => {
  const server = await startWireServer(t);
  const { status, headers, body } = await callHttp(server.url, { method: 'HEAD', path: '/nowhere', body: '' });
  assert.equal(status, 404);
  assert.ok(Number(headers['content-length']) > 0);
  assert.equal(body.length, 0);
});
