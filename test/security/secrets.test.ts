import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { createApp } from '../../src/app.ts';
import { configSchema } from '../../src/config/schema.ts';
import { createKeyText } from '../../src/credential/key-text.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { startCollector } from '../support/collector.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { converse, request } from '../support/raw-http.ts';
import { startRedis } from '../support/redis.ts';
import { createCliHome } from '../support/run-cli.ts';

/**
 * Keys of every kind, good and bad, sent in every way there is, and then looked for in all that a gateway writes, says or
 * stores. The text of a key may be in one place only: the answer to whoever creates it.
 */
const ACTOR = { name: 'test' };
const PEPPER = 'a-pepper-of-many-characters';
const RECEIVER_KEY = 'legacy-receiver-key-4711';
const SIGNING_SECRET = 'a-secret-that-signs-tokens-of-32-characters';
const LOOPBACK = { address: '127.0.0.1:0' };

/** Where a secret could have got to, with all that is there. */
type Places = Record<string, string>;

test('no key gets into the logs, the metrics, the answers, the collector’s requests or the SQLite file', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'keygate-secrets-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const { secrets, places } = await useKeysEverywhere(t, { sqlite: { path: join(directory, 'keys.db') } });

  // Read while the gateway runs, with its write-ahead log, and nothing of it checkpointed away.
  const files = await readdir(directory);
  assert.deepEqual(files.toSorted(), ['keys.db', 'keys.db-shm', 'keys.db-wal']);
  for (const file of files) places[file] = await readFile(join(directory, file), 'latin1');
  assert.match(Object.values(places).join(''), /hmac-test:[0-9a-f]{64}/, 'the digests were not found either');

  assertNowhere(secrets, places);
});

test('no key gets into Redis, neither into what it stores nor into what is sent to it', async (t) => {
  const redis = await startRedis();
  const monitored: string[] = [];
  const client = new Redis(redis.url);
  const monitor = await client.monitor();
  t.after(async () => {
    for (const connection of [monitor, client]) connection.disconnect();
    await redis.stop();
  });
  monitor.on('monitor', (_time: string, args: string[]) => monitored.push(args.join(' ')));

  const { secrets, places } = await useKeysEverywhere(t, {
    redis: { url: redis.url, commandTimeout: '2s', socketTimeout: '2s' },
  });

  await redis.command('CONFIG', 'SET', 'rdbcompression', 'no'); // or what is searched could not be found
  await redis.command('SAVE');
  const [, directory] = (await redis.command('CONFIG', 'GET', 'dir')) as [string, string];
  places['dump.rdb'] = await readFile(join(directory, 'dump.rdb'), 'latin1');
  places['MONITOR'] = monitored.join('\n');
  for (const place of ['dump.rdb', 'MONITOR']) assert.match(places[place] ?? '', /hmac-test:[0-9a-f]{64}/, place);

  assertNowhere(secrets, places);
});

test('the command line does not repeat keys and secrets that it cannot use', async (t) => {
  const home = createCliHome();
  t.after(() => home.remove());
  const collector = await startCollector(t);
  const { admin } = await startApp(t, { sqlite: { path: home.at('keys.db') } }, collector.httpUrl, collector.grpcUrl);
  const url = `http://127.0.0.1:${admin.port}`;
  const token = createKeyText('service');
  const mistyped = mistype(token);
  const secrets = { token, mistyped, pepper: 'too-short', redis: 'the-redis-password', receiver: 'a receiver key' };
  await writeFile(
    home.at('faulty.yaml'),
    JSON.stringify({
      store: { redis: { url: `http://user:${secrets.redis}@redis` } },
      keys: { pepper: { id: 'a b', secret: secrets.pepper }, receiverKeys: [{ name: 'x', key: secrets.receiver }] },
    }),
  );
  const results = {
    'a wrong token': await home.spawn(['ingestion-api-key', 'list', '--url', url, '--service-token', token]),
    'a mistyped token': await home.spawn(['ingestion-api-key', 'list', '--url', url, '--service-token', mistyped]),
    'a token with a line break': await home.spawn([
      'service-token',
      'list',
      '--url',
      url,
      '--service-token',
      `${token}\n`,
    ]),
    'a token in the environment': await home.spawn(['service-token', 'list'], {
      KEYGATE_URL: url,
      KEYGATE_SERVICE_TOKEN: token,
    }),
    'a gateway that is not there': await home.spawn([
      'service-token',
      'list',
      '--url',
      'http://127.0.0.1:1',
      '--service-token',
      token,
    ]),
    'a faulty configuration': await home.spawn(['check-config', '--config', home.at('faulty.yaml')]),
    'a secret in the environment': await home.spawn(['check-config', '--config', home.at('faulty.yaml')], {
      KEYGATE_KEYS_PEPPER_SECRET: secrets.pepper,
    }),
  };
  for (const [what, { code, stderr, stdout }] of Object.entries(results)) {
    assert.notEqual(code, 0, what);
    assert.notEqual(`${stderr}${stdout}`, '', what);
  }
  const output = Object.entries(results).map(([what, { stdout, stderr }]) => [what, stdout + stderr] as const);
  assertNowhere(secrets, Object.fromEntries(output));
});

async function startApp(t: TestContext, store: object, http: string, grpc: string) {
  const log: string[] = [];
  const config = configSchema.parse({
    listen: { grpc: LOOPBACK, http: LOOPBACK },
    admin: LOOPBACK,
    ops: LOOPBACK,
    upstream: { http, grpc },
    store,
    keys: {
      pepper: { id: 'test', secret: PEPPER },
      receiverKeys: [{ name: 'legacy', key: RECEIVER_KEY }],
      bareAuthorization: true,
      tokens: { secret: SIGNING_SECRET },
    },
  });
  const app = await createApp(
    config,
    createLog({ level: 'trace', format: 'json', output: { write: (line) => log.push(line) } }),
  );
  t.after(() => app.close());
  return { ...(await app.start()), keys: app.keys, log };
}

/** Sends every kind of key in every way to every port, and gathers all that comes of it. */
async function useKeysEverywhere(t: TestContext, store: object) {
  const collector = await startCollector(t);
  // The log takes so many refusals a second: every request gets a second of its own, or most would not be in it.
  const { now } = Date;
  let aheadMs = 0;
  t.mock.method(Date, 'now', () => now() + aheadMs);
  const { keys, log, http, grpc, admin, ops } = await startApp(t, store, collector.httpUrl, collector.grpcUrl);
  const good = (await keys.create({ kind: 'ingestion', name: 'good' }, ACTOR)).text;
  const revoked = await keys.create({ kind: 'ingestion', name: 'revoked' }, ACTOR);
  await keys.revoke('ingestion', revoked.record.id, ACTOR);
  const token = (await keys.create({ kind: 'service', name: 'admin', roles: ['stackstate-admin'] }, ACTOR)).text;
  const exchange = (key: string) =>
    callHttp(`http://127.0.0.1:${http.port}`, {
      path: '/identity/token',
      body: new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: key }).toString(),
    });
  const { access_token: bearer } = JSON.parse((await exchange(good)).body.toString()) as { access_token: string };
  const secrets = {
    good,
    bearer,
    'a bearer that was changed': `${bearer.slice(0, -1)}${bearer.endsWith('A') ? 'B' : 'A'}`,
    signing: SIGNING_SECRET,
    revoked: revoked.text,
    token,
    receiver: RECEIVER_KEY,
    wrong: createKeyText('ingestion'),
    mistyped: mistype(good),
    'cut short': good.slice(0, -3),
    foreign: 'a-key-of-another-system-0815',
  };
  const places: Places = {};
  const session = await connectGrpc(t, `127.0.0.1:${grpc.port}`);

  for (const [name, secret] of Object.entries(secrets)) {
    for (const headers of waysToSend(secret)) {
      const what = `${name} in ${Object.keys(headers).join()}`;
      aheadMs += 1_000;
      for (const type of ['application/x-protobuf', 'application/json', 'text/plain']) {
        const answer = await callHttp(`http://127.0.0.1:${http.port}`, {
          headers: { ...headers, 'content-type': type },
        });
        places[`the answer to ${what} of ${type}`] = JSON.stringify(answer.headers) + answer.body.toString('latin1');
      }
      places[`the gRPC answer to ${what}`] = JSON.stringify(await callGrpc(session, { headers }));
      for (const path of ['/api/security/ingestion/api_keys', '/api/server/info', '/nowhere']) {
        const answer = await callHttp(`http://127.0.0.1:${admin.port}`, { method: 'GET', path, headers, body: '' });
        places[`the admin API’s answer to ${what} at ${path}`] =
          JSON.stringify(answer.headers) + answer.body.toString();
      }
    }
    const { headers, body } = await exchange(secret);
    places[`what is answered to ${name} for a token`] = JSON.stringify(headers) + body.toString();
    aheadMs += 1_000;
    for (const [port, path] of [
      [http.port, `/v1/traces?api_key=${secret}`],
      [http.port, `/v1/${secret}`],
      [admin.port, `/api/security/ingestion/api_keys/${secret}`],
      [admin.port, `/api/server/info?api_key=${secret}`],
      [ops.port, `/metrics/${secret}`],
    ] as const) {
      const bytes = request(`GET ${path} HTTP/1.1`, [
        'Host: x',
        `X-API-Key: ${secret}`,
        `X-API-Key: ${secret}x`,
        'Connection: close',
      ]);
      places[`the answer to ${name} in the path ${path.slice(0, 10)} of port ${port}`] = (
        await converse(t, port, bytes)
      ).text;
    }
    const nonsense = request(`POST /v1/traces HTTP/1.1`, [`X-API-Key: ${secret}`, `Transfer-Encoding: ${secret}`]);
    places[`the answer to ${name} in nonsense`] = (await converse(t, http.port, nonsense)).text;
    const authorize = {
      method: 'POST',
      path: '/api/security/ingestion/authorize',
      headers: { 'x-api-key': token, 'content-type': 'application/json' },
    };
    const authorized = await callHttp(`http://127.0.0.1:${admin.port}`, {
      ...authorize,
      body: JSON.stringify({ apiKey: secret }),
    });
    places[`whether ${name} is authorized`] = authorized.body.toString();
  }
  const rejected = await callHttp(`http://127.0.0.1:${admin.port}`, {
    path: '/api/security/ingestion/api_keys',
    headers: { 'x-api-key': token, 'content-type': 'application/json' },
    body: JSON.stringify({ name: good, expiration: token, [secrets.wrong]: secrets.wrong }),
  });
  assert.equal(rejected.status, 400);

  for (const path of ['/metrics', '/readyz', '/livez']) {
    places[path] = (await callHttp(`http://127.0.0.1:${ops.port}`, { method: 'GET', path, body: '' })).body.toString();
  }
  places['the log'] = log.join('');
  places['what the collector got'] = JSON.stringify(collector.arrivals);
  assert.ok(log.length > 100, 'the log says little');
  assert.ok(collector.arrivals.length > 10, 'the collector got little');
  return { secrets: { ...secrets, pepper: PEPPER }, places };
}

function waysToSend(secret: string): Record<string, string>[] {
  return [
    { authorization: `ApiKey ${secret}` },
    { authorization: secret },
    { authorization: `Bearer ${secret}, Bearer ${secret}` },
    { authorization: `Basic ${btoa(`apikey:${secret}`)}` },
    { authorization: `Basic ${btoa(`admin:${secret}`)}` },
    { authorization: `Unknown ${secret}` },
    { 'x-api-key': secret },
    { 'x-api-key': secret, 'sts-api-key': `${secret}x` },
    { 'x-api-key': `${secret} ${secret}` },
    { 'proxy-authorization': `Bearer ${secret}` },
  ];
}

function mistype(key: string): string {
  return `${key.slice(0, 20)}${key[20] === 'x' ? 'y' : 'x'}${key.slice(21)}`;
}

/** Neither as it is, nor its random part alone, nor as Basic authorization has it. */
function assertNowhere(secrets: Readonly<Record<string, string>>, places: Readonly<Places>): void {
  const found: string[] = [];
  for (const [name, secret] of Object.entries(secrets)) {
    const random = /^(?:iapikeyok|svctok)-(.{32})/.exec(secret)?.[1];
    const forms = [secret, random ?? secret, btoa(`apikey:${secret}`), Buffer.from(secret).toString('hex')];
    for (const [place, text] of Object.entries(places)) {
      if (forms.some((form) => text.includes(form))) found.push(`${name} is in ${place}`);
    }
  }
  assert.deepEqual(found, []);
}
