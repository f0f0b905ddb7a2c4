import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { connectGrpc } from '../support/grpc-client.ts';
import { callHttpOverH2 } from '../support/http-client.ts';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/**
 * Agents put their key into the query, where it gets into logs and errors of whoever sees the URL. It ends at the gateway in every
 * form in which the receiver, or anybody behind it, might read it; nor is it in what the gateway writes or answers.
 */
// oxfmt-ignore
const FORMS: Readonly<Record<string, (key: string) => string>> = {
  'as agents send it': (key) => `?api_key=${key}`,
  'among others': (key) => `?a=1&api_key=${key}&b=2`,
  'twice': (key) => `?api_key=${key}&api_key=${key}`,
  'with its name escaped': (key) => `?api%5Fkey=${key}`,
  'with every letter escaped': (key) => `?${escaped('api_key')}=${escaped(key)}`,
  'beside one that is escaped': (key) => `?%61pi_key=${escaped(key)}&api_key=${key}`,
  'beside one that is escaped twice': (key) => `?api%255Fkey=${escaped(escaped(key))}&api_key=${key}`,
  'behind a semicolon': (key) => `?a=1;api_key=${key};b=2`,
  'behind an entity': (key) => `?a=1&amp;api_key=${key}`,
  'with brackets': (key) => `?api_key[]=${key}&api_key%5B%5D=${key}&api_key=${key}`,
  'by other names of it': (key) => `?API_KEY=${key}&api-key=${key}&apikey=${key}&sts-api-key=${key}&api_key=${key}`,
  'in an address in another parameter': (key) => `?next=https%3A%2F%2Fx%2Fintake%3Fapi_key%3D${key}&api_key=${key}`,
  'in a fragment': (key) => `?api_key=${key}&a=1#api_key=${key}`,
  'as the value of something else': (key) => `?trace=${key}&api_key=${key}`,
  'without a name': (key) => `?${key}&api_key=${key}`,
};

/** Refused before or after the key was read. */
// oxfmt-ignore
const REFUSED: Readonly<Record<string, (key: string) => string>> = {
  'with a comma': (key) => `/stsAgent/intake/?api_key=${key},x`,
  'with another key': (key) => `/stsAgent/intake/?api_key=${key}&api_key=iapikeyok-other`,
  'cut short': (key) => `/stsAgent/intake/?api_key=${key.slice(0, -1)}`,
  'by another name': (key) => `/stsAgent/intake/?apikey=${key}`,
  'at a path that leads out': (key) => `/stsAgent/../intake/?api_key=${key}`,
  'at a path of OTLP': (key) => `/v1/traces?api_key=${key}`,
  'at no path at all': (key) => `/nowhere?api_key=${key}`,
  'in a question that is not answered': (key) => `/stsAgent/api/v1/validate?api_key=${key}x`,
};

async function setUp(t: TestContext) {
  const receiver = await startRawUpstream(t);
  const path = await startRawPath(t, { routes: { agent: { target: receiver.url } } });
  const { gateway, key } = path;
  /** Everything that was written by now, read as often as anybody decodes. */
  const assertNowhere = async (...more: readonly string[]): Promise<void> => {
    const metrics = await gateway.metrics();
    const places = { receiver: receiver.received(), log: gateway.log.join('\n'), metrics, answers: more.join('\n') };
    for (const [place, text] of Object.entries(places)) {
      const secret = key.slice(0, -2); // one that was cut short is one to guess the rest of
      for (let read = text, i = 0; i < 4; i++, read = decoded(read))
        assert.ok(!read.includes(secret), `in the ${place}`);
    }
  };
  return { ...path, receiver, assertNowhere };
}

test('over HTTP/1.1 no form of a key in the query goes on', async (t) => {
  const { key, send, receiver, assertNowhere } = await setUp(t);
  for (const [sentence, query] of Object.entries(FORMS)) {
    await t.test(sentence, async () => {
      const before = receiver.requests.length;
      const target = `/receiver/stsAgent/intake/${query(key)}`;
      const fields = ['Host: x', `sts-api-key: ${key}`, 'Content-Length: 2', 'Connection: close'];
      const { statuses, text } = await send(request(`POST ${target} HTTP/1.1`, fields, '{}'));
      assert.deepEqual([statuses, receiver.requests.length - before], [[200], 1]);
      assert.match(receiver.requests.at(-1)?.head ?? '', /^POST \/stsAgent\/intake\//);
      await assertNowhere(text);
    });
  }
});

test('over HTTP/2 neither, and not when its head is remembered', async (t) => {
  const { key, gateway, receiver, assertNowhere } = await setUp(t);
  const session = await connectGrpc(t, gateway.httpUrl);
  for (const [sentence, query] of Object.entries(FORMS)) {
    await t.test(sentence, async () => {
      const before = receiver.requests.length;
      for (let i = 0; i < 3; i++) {
        const { status, body } = await callHttpOverH2(session, { path: `/stsAgent/intake/${query(key)}` });
        assert.equal(status, 200);
        await assertNowhere(body.toString());
      }
      assert.equal(receiver.requests.length - before, 3);
    });
  }
});

test('what is refused is not forwarded, and its key is in no answer and no log', async (t) => {
  const { key, send, receiver, upstream, assertNowhere } = await setUp(t);
  for (const [sentence, target] of Object.entries(REFUSED)) {
    await t.test(sentence, async () => {
      const isQuestion = target(key).includes('validate');
      const fields = ['Host: x', 'Content-Length: 0', 'Connection: close'];
      const { statuses, text } = await send(request(`${isQuestion ? 'GET' : 'POST'} ${target(key)} HTTP/1.1`, fields));
      assert.ok([403, 404].includes(statuses[0] ?? 0), statuses.join());
      assert.deepEqual([receiver.received(), upstream.received()], ['', '']);
      await assertNowhere(text);
    });
  }
});

test('a receiver that cannot be reached is an answer without the key, too', async (t) => {
  const path = await startRawPath(t, { routes: { agent: { target: 'http://127.0.0.1:1' } } });
  const fields = ['Host: x', 'Content-Length: 0', 'Connection: close'];
  const { statuses, text } = await path.send(request(`POST /stsAgent/intake/?api_key=${path.key} HTTP/1.1`, fields));
  assert.deepEqual(statuses, [503]);
  assert.ok(![text, ...path.gateway.log, await path.gateway.metrics()].join('\n').includes(path.key));
});

function escaped(text: string): string {
  return Array.from(text, (char) => `%${char.charCodeAt(0).toString(16)}`).join('');
}

function decoded(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
