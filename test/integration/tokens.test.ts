import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import type { Gateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc, readRefusal } from '../support/grpc-client.ts';
import { callHttp, callHttpOverH2 } from '../support/http-client.ts';
import type { HttpAnswer, HttpCall } from '../support/http-client.ts';
import { until } from '../support/wait.ts';

const SECRET = 'a-secret-of-32-characters-at-least';
const GRANT = 'urn:ibm:params:oauth:grant-type:apikey';
const CLI = { name: 'cli:test', via: 'cli' } as const;

type ConfigInput = Parameters<typeof startGateway>[1];

/** What /identity/token says, either way. */
interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
  readonly expiration: number;
  readonly errorCode: string;
  readonly errorMessage: string;
  readonly errorDetails: string;
  readonly context: { readonly requestId: string };
}

async function setUp(t: TestContext, config: ConfigInput = {}, clock?: Clock) {
  const collector = await startCollector(t);
  const upstream = { grpc: collector.grpcUrl, http: collector.httpUrl };
  const tokens = { secret: SECRET, ...config.keys?.tokens };
  const gateway = await startGateway(t, { upstream, ...config, keys: { ...config.keys, tokens } }, clock);
  const send = (token: string, call: HttpCall = {}) => sendWith(gateway, token, call);
  return { collector, gateway, send, exchange: (form: Form, call?: HttpCall) => exchange(gateway, form, call) };
}

type Form = Record<string, string> | string;

function toBody(form: Form): string {
  return typeof form === 'string' ? form : new URLSearchParams({ grant_type: GRANT, ...form }).toString();
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

async function exchange(gateway: Gateway, form: Form, { headers, ...more }: HttpCall = {}) {
  const call = { path: '/identity/token', headers: { ...FORM, ...headers }, body: toBody(form), ...more };
  return read(await callHttp(gateway.httpUrl, call));
}

function read({ status, headers, body }: HttpAnswer) {
  return { status, headers, told: JSON.parse(body.toString()) as TokenAnswer };
}

async function sendWith(gateway: Gateway, token: string, { headers, ...more }: HttpCall = {}): Promise<string> {
  const call = {
    ...more,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
  };
  return outcome(await callHttp(gateway.httpUrl, call));
}

function outcome({ status, body }: HttpAnswer): string {
  if (status < 400) return `${status}`;
  const { details } = JSON.parse(body.toString()) as { details: { reason?: string }[] };
  return `${status} ${details[0]?.reason}`;
}

/** A clock that the test sets forward. */
function createClock(): Clock & { advance(ms: number): void } {
  let aheadMs = 0;
  return {
    now: () => Date.now() + aheadMs,
    elapsed: () => performance.now() + aheadMs,
    advance: (ms) => void (aheadMs += ms),
  };
}

describe('a key is exchanged for a token', () => {
  it('in the shape of IAM, which opens what the key opens', async (t) => {
    const { collector, gateway, send, exchange: ask } = await setUp(t);
    const { text, id } = await gateway.createKey({ tenant: 'acme' });
    const { status, headers, told } = await ask({ apikey: text });
    const { access_token: token, expiration, ...rest } = told;
    assert.equal(status, 200);
    assert.deepEqual(rest, {
      refresh_token: 'not_supported',
      token_type: 'Bearer',
      expires_in: 3_600,
      scope: 'ibm openid',
    });
    assert.ok(Math.abs(expiration - Date.now() / 1_000 - 3_600) < 10);
    assert.deepEqual([headers['content-type'], headers['cache-control']], ['application/json', 'no-store']);

    assert.equal(await send(token), '200');
    assert.equal(await send(`Bearer ${token}`), '200', '"Bearer Bearer" is what IBM documents');
    const session = await connectGrpc(t, gateway.grpcAddress);
    assert.equal((await callGrpc(session, { headers: { authorization: `Bearer ${token}` } })).code, 0);
    for (const { headers: seen } of collector.arrivals) {
      assert.deepEqual([seen['x-keygate-key-id'], seen['x-keygate-tenant']], [[id], ['acme']]);
      assert.equal(seen['authorization'], undefined);
    }
    assert.equal(collector.arrivals.length, 3);
    const counted = { signal: 'token', verdict: 'allow' };
    assert.equal(await gateway.metric('keygate_requests_total', counted), 1);
    assert.ok(![...gateway.log].some((line) => line.includes(token) || line.includes(text)), 'neither is logged');
  });

  it('over HTTP/2 and HTTP/1.1, with a body in one piece, in chunks, or asked for, and one after the other', async (t) => {
    const { gateway, exchange: ask } = await setUp(t);
    const { text } = await gateway.createKey();
    const form = toBody({ apikey: text });
    const pieces = [form.slice(0, 20), form.slice(20)].map((piece) => Buffer.from(piece));
    const session = await connectGrpc(t, gateway.grpcAddress);
    const overH2 = async (body: HttpCall['body']) =>
      read(await callHttpOverH2(session, { path: '/identity/token', headers: FORM, ...(body && { body }) }));
    const answers = [
      await ask({ apikey: text }),
      await ask('', { body: pieces }),
      await ask({ apikey: text }, { headers: { expect: '100-continue' } }),
      await overH2(Buffer.from(form)),
      await overH2(pieces),
      // IBM's own SDK for Python spells it so, and its command line says who it is.
      await ask(
        { apikey: text, response_type: 'cloud_iam' },
        { headers: { 'content-type': 'applicaton/x-www-form-urlencoded', authorization: 'Basic Yng6Yng=' } },
      ),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 200, 200, 200],
    );
    assert.equal(new Set(answers.map(({ told }) => told.access_token)).size, 6);
    assert.equal((await overH2(Buffer.alloc(0))).status, 400);
  });

  it('which opens no more than the key does', async (t) => {
    const { gateway, send, exchange: ask } = await setUp(t, { routes: { rum: { otlp: true } } });
    const { text } = await gateway.createKey({ signals: ['logs'] });
    const { told } = await ask({ apikey: text });
    assert.equal(await send(told.access_token), '403 signal_not_allowed');
    assert.equal(await send(told.access_token, { path: '/v1/logs' }), '200');
    const other = await gateway.createKey();
    assert.equal(
      await send(told.access_token, { headers: { 'x-api-key': other.text } }),
      '403 conflicting_credentials',
    );
    // A token buys no other token, so it ends.
    assert.equal((await ask({ apikey: told.access_token })).status, 400);
    const page = await gateway.createKey({ type: 'rum' });
    assert.equal((await ask({ apikey: page.text })).status, 400);
    const service = await gateway.createKey({ kind: 'service', roles: ['admin'] });
    assert.equal((await ask({ apikey: service.text })).status, 400);
  });
});

describe('a token dies with its key, at once', () => {
  const ENDS: Readonly<Record<string, (gateway: Gateway, id: string, owner: string) => Promise<unknown>>> = {
    revoked_key: ({ app }, id) => app.keys.revoke('ingestion', id, CLI, { force: true }),
    disabled_key: ({ app }, id) => app.keys.disable('ingestion', id, CLI),
    owner_locked: ({ app }, _id, owner) => app.keys.disable('serviceId', owner, CLI),
    role_missing: ({ app }, _id, owner) => app.keys.update('serviceId', owner, { roles: [] }, CLI),
  };

  for (const [reason, end] of Object.entries(ENDS)) {
    it(`${reason}, on each gateway of a store, and there is no new one`, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'keygate-tokens-'));
      t.after(() => rmSync(directory, { recursive: true, force: true }));
      const store = { sqlite: { path: join(directory, 'keygate.db') } };
      const [one, two] = [await setUp(t, { store }), await setUp(t, { store })];
      const owner = await one.gateway.app.keys.createOwner({ kind: 'serviceId', name: 'svc' }, CLI);
      const { text, id } = await one.gateway.createKey({ owner: 'svc' });
      const { told } = await one.exchange({ apikey: text });
      const { access_token: token } = told;
      // Made by one, taken by the other.
      assert.deepEqual([await one.send(token), await two.send(token)], ['200', '200']);
      await end(one.gateway, id, owner.id);
      assert.equal(await one.send(token), `403 ${reason}`);
      await until(`403 ${reason} on the other`, async () => (await two.send(token)) === `403 ${reason}`);
      assert.equal((await two.exchange({ apikey: text })).status, 400);
    });
  }

  it('and with its time, a minute after which it is refused', async (t) => {
    const clock = createClock();
    const {
      gateway,
      send,
      exchange: ask,
    } = await setUp(t, { keys: { tokens: { secret: SECRET, lifetime: '2m' } } }, clock);
    const { text } = await gateway.createKey();
    const { told } = await ask({ apikey: text });
    assert.equal(told.expires_in, 120);
    clock.advance(130_000);
    assert.equal(await send(told.access_token), '200', 'clocks differ');
    clock.advance(60_000);
    assert.equal(await send(told.access_token), '403 expired_token');
    assert.equal((await ask({ apikey: text })).status, 200);
    const session = await connectGrpc(t, gateway.grpcAddress);
    const late = await callGrpc(session, { headers: { authorization: `Bearer ${told.access_token}` } });
    assert.deepEqual([late.code, readRefusal(late).reason], [7, 'expired_token']);
  });

  it('and never outlives a key that expires, be it that nobody knew of that when it was made', async (t) => {
    const clock = createClock();
    const { gateway, send, exchange: ask } = await setUp(t, {}, clock);
    const { text, id } = await gateway.createKey();
    const { told: early } = await ask({ apikey: text });
    await gateway.app.keys.update('ingestion', id, { expiresAt: Date.now() + 60_000 }, CLI);
    const { told: late } = await ask({ apikey: text });
    assert.deepEqual([early.expires_in, late.expires_in <= 60 && late.expires_in > 50], [3_600, true]);
    assert.equal(await send(early.access_token), '200');
    clock.advance(61_000);
    for (const { access_token: token } of [early, late]) assert.equal(await send(token), '403 expired_key');
  });
});

describe('the secret that signs tokens', () => {
  it('is changed without a token being refused', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'keygate-tokens-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const store = { sqlite: { path: join(directory, 'keygate.db') } };
    const next = 'the-next-secret-of-32-characters-or-more';
    const setUpWith = (secret: string | null, ...previousSecrets: string[]) =>
      setUp(t, { store, keys: { tokens: { secret, previousSecrets } } });
    const before = await setUpWith(SECRET);
    const told = await setUpWith(SECRET, next);
    const after = await setUpWith(next, SECRET);
    const { text } = await before.gateway.createKey();
    const old = (await before.exchange({ apikey: text })).told.access_token;
    const fresh = (await after.exchange({ apikey: text })).told.access_token;
    assert.deepEqual([await told.send(old), await told.send(fresh)], ['200', '200']);
    assert.deepEqual([await after.send(old), await after.send(fresh)], ['200', '200']);
    // A gateway that was forgotten cannot tell: nobody loses data for it.
    assert.deepEqual([await before.send(old), await before.send(fresh)], ['200', '503 unknown_signer']);
    // Without one of its own there are no new tokens.
    const ended = await setUpWith(null, next);
    assert.equal(await ended.send(fresh), '200');
    assert.equal(
      outcome(await callHttp(ended.gateway.httpUrl, { path: '/identity/token', headers: JSON_TYPE })),
      '404 not_found',
    );
  });

  const JSON_TYPE = { 'content-type': 'application/json' };

  it('is off unless it is set: then a token is a key that nobody made', async (t) => {
    const { gateway, exchange: ask } = await setUp(t);
    const off = await startGateway(t, { upstream: { http: 'http://127.0.0.1:1' } });
    const { told } = await ask({ apikey: (await gateway.createKey()).text });
    assert.equal(await sendWith(off, told.access_token), '403 unknown_key');
    const asked = await callHttp(off.httpUrl, { path: '/identity/token', headers: JSON_TYPE });
    assert.equal(outcome(asked), '404 not_found');
  });
});

describe('what is wrong with an exchange is said as IAM says it', () => {
  it('with the code that its clients look for, and words that say what to do', async (t) => {
    const { gateway, exchange: ask } = await setUp(t);
    const { text, id } = await gateway.createKey();
    const cases: Readonly<Record<string, Form>> = {
      nothing: '',
      'no grant': `apikey=${text}`,
      'no key': { apikey: '' },
      'another grant': { grant_type: 'password', apikey: text },
      'two keys': `grant_type=${GRANT}&apikey=${text}&apikey=${text}`,
      'two grants': `grant_type=${GRANT}&grant_type=${GRANT}&apikey=${text}`,
      'no plain key': { apikey: `${text} x` },
      json: JSON.stringify({ grant_type: GRANT, apikey: text }),
      'a mistyped key': { apikey: `${text.slice(0, -1)}!` },
      'an unknown key': { apikey: 'never-made' },
    };
    const seen: Record<string, string> = {};
    for (const [name, form] of Object.entries(cases)) {
      const { status, told, headers } = await ask(form);
      seen[name] = `${status} ${told.errorCode}`;
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(told.context.requestId, headers['x-request-id']);
      assert.ok(told.errorMessage.length > 5 && told.errorDetails.length > 5);
      assert.ok(!JSON.stringify(told).includes(text));
    }
    const [missing, malformed, unknown] = ['400 BXNIM0109E', '400 BXNIM0106E', '400 BXNIM0415E'];
    assert.deepEqual(seen, {
      nothing: missing,
      'no grant': missing,
      'no key': missing,
      'another grant': malformed,
      'two keys': malformed,
      'two grants': malformed,
      'no plain key': malformed,
      json: missing,
      'a mistyped key': unknown,
      'an unknown key': unknown,
    });
    await gateway.app.keys.disable('ingestion', id, CLI);
    const { status, told } = await ask({ apikey: text });
    assert.deepEqual([status, told.errorCode], [400, 'KEYGATE_DISABLED_KEY']);
    assert.match(told.errorDetails, new RegExp(`disabled_key, key ${id}`));
    assert.equal(await gateway.metric('keygate_requests_total', { signal: 'token', reason: 'unknown_key' }), 1);
  });

  it('and other methods, large bodies and limits as everywhere', async (t) => {
    const { gateway, exchange: ask } = await setUp(t);
    const { text } = await gateway.createKey({ limits: { requestsPerSecond: 1 } });
    const method = await ask('', { method: 'GET', body: '' });
    assert.deepEqual(
      [method.status, method.headers['allow'], method.told.errorCode],
      [405, 'POST', 'KEYGATE_METHOD_NOT_ALLOWED'],
    );
    const large = Buffer.alloc(9_000, 'a');
    for (const body of [large, [large.subarray(0, 5_000), large.subarray(0, 5_000)]]) {
      const { status, told } = await ask('', { body });
      assert.deepEqual([status, told.errorCode], [413, 'KEYGATE_BODY_TOO_LARGE']);
    }
    assert.equal((await ask({ apikey: text })).status, 200);
    const limited = await ask({ apikey: text });
    assert.deepEqual([limited.status, limited.told.errorCode], [429, 'KEYGATE_RATE_LIMITED']);
    assert.ok(Number(limited.headers['retry-after']) >= 1);
  });

  it('and a doubt is a 503, with a time to come back', async (t) => {
    const redis = { url: 'redis://127.0.0.1:1' };
    const { exchange: ask } = await setUp(t, { store: { redis } });
    const { status, told, headers } = await ask({ apikey: 'a-key-that-may-be-there' });
    assert.deepEqual([status, told.errorCode.startsWith('KEYGATE_STORE_')], [503, true], told.errorCode);
    assert.ok(Number(headers['retry-after']) >= 1);
  });
});
