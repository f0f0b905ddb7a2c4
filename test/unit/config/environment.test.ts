import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeSchema } from '../../../src/config/describe.ts';
import { fileVariableOf, variableOf, variableOptions } from '../../../src/config/environment.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { filesOf } from '../../support/config-files.ts';

type Env = Record<string, string>;

function load(env: Env, { text = '', files = {} }: { text?: string; files?: Record<string, string> } = {}) {
  const all = { KEYGATE_UPSTREAM_GRPC: 'http://collector:4317', ...env };
  return loadConfig({ file: 'keygate.yaml', env: all, readFile: filesOf({ 'keygate.yaml': text, ...files }) });
}

function configOf(env: Env, more?: Parameters<typeof load>[1]) {
  const result = load(env, more);
  assert.deepEqual(result.ok ? [] : result.faults, []);
  assert.ok(result.ok);
  return result.config;
}

function faultsOf(env: Env, more?: Parameters<typeof load>[1]) {
  const result = load(env, more);
  assert.ok(!result.ok, 'the configuration has faults');
  return result.faults;
}

test('the name of a variable is the path of its option in upper snake case', () => {
  const names = new Map(
    variableOptions(describeSchema(configSchema)).map((option) => [option.name, variableOf(option)]),
  );
  assert.equal(names.get('listen.grpc.address'), 'KEYGATE_LISTEN_GRPC_ADDRESS');
  assert.equal(names.get('limits.maxBody'), 'KEYGATE_LIMITS_MAX_BODY');
  assert.equal(names.get('keys.receiverKeys'), 'KEYGATE_KEYS_RECEIVER_KEYS');
  assert.equal(names.get('listen.http.tls.clientCa'), 'KEYGATE_LISTEN_HTTP_TLS_CLIENT_CA');
});

test('no two options share a variable', () => {
  const options = variableOptions(describeSchema(configSchema));
  const names = options
    .flatMap((option) => [variableOf(option), fileVariableOf(option)])
    .filter((name) => name !== undefined);
  assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
});

test('a variable wins over the file', () => {
  const text = 'limits: { maxBody: 1MiB, maxHeaders: 50 }';
  const { limits } = configOf({ KEYGATE_LIMITS_MAX_BODY: '2MiB' }, { text });
  assert.deepEqual([limits.maxBody, limits.maxHeaders], [2_097_152, 50]);
});

test('a variable that is set to nothing counts as not set', () => {
  const config = configOf(
    { KEYGATE_LOG_LEVEL: '', KEYGATE_STORE_REDIS_URL_FILE: '' },
    { text: 'log: { level: warn }' },
  );
  assert.deepEqual([config.log.level, config.store.redis], ['warn', null]);
});

test('scalars are taken as written', () => {
  const config = configOf({
    KEYGATE_LIMITS_MAX_HEADERS: '64',
    KEYGATE_KEYS_BARE_AUTHORIZATION: 'true',
    KEYGATE_CACHE_STALE_FOR: '0s',
    KEYGATE_KEYS_PEPPER_ID: '2026',
    KEYGATE_KEYS_PEPPER_SECRET: '{not: yaml, #but text}',
    KEYGATE_UPSTREAM_GRPC: 'null',
    KEYGATE_UPSTREAM_HTTP: 'http://collector:4318',
  });
  assert.equal(config.limits.maxHeaders, 64);
  assert.equal(config.keys.bareAuthorization, true);
  assert.equal(config.cache.staleFor, 0);
  assert.deepEqual(config.keys.pepper, { id: '2026', secret: '{not: yaml, #but text}' });
  assert.deepEqual([config.upstream.grpc, config.upstream.http], [null, 'http://collector:4318']);
});

test('lists of words are written with commas or as YAML, other lists and groups as YAML or JSON', () => {
  const { keys, store } = configOf({
    KEYGATE_KEYS_CARRIERS: 'x-api-key, x-ingest-key',
    KEYGATE_KEYS_SCHEMES: '["ApiKey", Bearer]',
    KEYGATE_KEYS_BASIC_USERS: '[]',
    KEYGATE_KEYS_RECEIVER_KEYS: '[{name: agents, key: k1}, {"name": "rum", "key": "k2", "tenant": "shop"}]',
    KEYGATE_STORE_REDIS: '{url: "redis://redis:6379", prefix: first}',
    KEYGATE_STORE_REDIS_PREFIX: 'second',
  });
  assert.deepEqual(keys.carriers, ['x-api-key', 'x-ingest-key']);
  assert.deepEqual(keys.schemes, ['ApiKey', 'Bearer']);
  assert.deepEqual(keys.basicUsers, []);
  assert.deepEqual(keys.receiverKeys, [
    { name: 'agents', key: 'k1', keyFile: null, tenant: null },
    { name: 'rum', key: 'k2', keyFile: null, tenant: 'shop' },
  ]);
  assert.deepEqual([store.redis?.url, store.redis?.prefix], ['redis://redis:6379', 'second']);
});

test('an option inside a group makes the group', () => {
  const text = 'store: { redis: null }';
  const { store } = configOf({ KEYGATE_STORE_REDIS_URL: 'redis://redis:6379' }, { text });
  assert.deepEqual(store.redis, {
    url: 'redis://redis:6379',
    sentinels: [],
    master: null,
    nodes: [],
    user: null,
    password: null,
    sentinelUser: null,
    sentinelPassword: null,
    database: 0,
    tls: false,
    ca: null,
    cert: null,
    key: null,
    prefix: 'keygate',
    connectTimeout: 2_000,
    commandTimeout: 100,
    socketTimeout: 1_000,
    minReplicas: 0,
  });
});

test('a group that is made by half lacks the other half by name', () => {
  assert.deepEqual(faultsOf({ KEYGATE_KEYS_PEPPER_ID: '2026' }), [
    {
      path: 'keys.pepper.secret',
      message: 'must be set, in the file or as KEYGATE_KEYS_PEPPER_SECRET: text of at least 16 characters',
      where: undefined,
    },
  ]);
});

test('secrets and lists of secrets come from files too, without the newline at the end', () => {
  const { store, keys } = configOf(
    { KEYGATE_STORE_REDIS_URL_FILE: '/run/url', KEYGATE_KEYS_RECEIVER_KEYS_FILE: '/run/keys' },
    { files: { '/run/url': 'redis://:secret@redis:6379\r\n', '/run/keys': '- name: agents\n  key: k1\n' } },
  );
  assert.equal(store.redis?.url, 'redis://:secret@redis:6379');
  assert.deepEqual(keys.receiverKeys, [{ name: 'agents', key: 'k1', keyFile: null, tenant: null }]);
});

test('a secret that is set both ways is a fault', () => {
  const env = { KEYGATE_STORE_REDIS_URL: 'redis://a:1', KEYGATE_STORE_REDIS_URL_FILE: '/run/url' };
  assert.deepEqual(faultsOf(env, { files: { '/run/url': 'redis://b:1' } }), [
    {
      path: 'store.redis.url',
      message: 'is set by KEYGATE_STORE_REDIS_URL and by KEYGATE_STORE_REDIS_URL_FILE: remove one of the two',
      value: undefined,
      where: 'KEYGATE_STORE_REDIS_URL',
    },
  ]);
});

test('a secret file that is not there is one fault, which names the variable and the file', () => {
  assert.deepEqual(faultsOf({ KEYGATE_KEYS_PEPPER_ID: 'a', KEYGATE_KEYS_PEPPER_SECRET_FILE: '/run/none' }), [
    {
      path: 'keys.pepper.secret',
      message: 'must be a file that can be read: "/run/none" does not exist',
      value: undefined,
      where: 'KEYGATE_KEYS_PEPPER_SECRET_FILE',
    },
  ]);
});

test('a value that does not fit is blamed on its variable', () => {
  const env = { KEYGATE_LIMITS_MAX_HEADERS: 'many', KEYGATE_KEYS_CARRIERS: 'x-ok,X-Bad', KEYGATE_LISTEN_GRPC_TLS: '{' };
  assert.deepEqual(faultsOf(env), [
    {
      path: 'keys.carriers[1]',
      message: 'must be a header name in lower case: 1 to 64 letters, digits, hyphens and underscores',
      value: '"X-Bad"',
      where: 'KEYGATE_KEYS_CARRIERS',
    },
    {
      path: 'limits.maxHeaders',
      message: 'must be a whole number from 16 to 1,000',
      value: '"many"',
      where: 'KEYGATE_LIMITS_MAX_HEADERS',
    },
    {
      path: 'listen.grpc.tls',
      message: 'must be a group of options (cert, key, clientCa), or null, written as YAML or JSON',
      value: '"{"',
      where: 'KEYGATE_LISTEN_GRPC_TLS',
    },
  ]);
});

test('a variable that belongs to no option is a fault with a suggestion', () => {
  const env = { KEYGATE_LIMIT_MAX_BODY: '1MiB', KEYGATE_MAX_BODY: '1MiB', KEYGATE_COLOUR: 'red' };
  assert.deepEqual(faultsOf(env), [
    { path: 'KEYGATE_LIMIT_MAX_BODY', message: 'There is no such variable. Did you mean KEYGATE_LIMITS_MAX_BODY?' },
    { path: 'KEYGATE_MAX_BODY', message: 'There is no such variable. Did you mean KEYGATE_LIMITS_MAX_BODY?' },
    { path: 'KEYGATE_COLOUR', message: 'There is no such variable. All of them are listed in docs/config.md.' },
  ]);
});

test('the variables of the CLI and of Kubernetes services are no options and no faults', () => {
  configOf({
    KEYGATE_URL: 'http://localhost:7070',
    KEYGATE_SERVICE_TOKEN: 'svctok-x',
    KEYGATE_SERVICE_TOKEN_FILE: '/run/token',
    KEYGATE_SERVICE_HOST: '10.0.0.1',
    KEYGATE_SERVICE_PORT: '4317',
    KEYGATE_SERVICE_PORT_OTLP_GRPC: '4317',
    KEYGATE_PORT: 'tcp://10.0.0.1:4317',
    KEYGATE_PORT_4317_TCP: 'tcp://10.0.0.1:4317',
    KEYGATE_PORT_4317_TCP_ADDR: '10.0.0.1',
    KEYGATE_ADMIN_PORT: 'tcp://10.0.0.2:7070',
  });
});

test('a port that someone set by hand is not mistaken for one of Kubernetes', () => {
  assert.deepEqual(
    faultsOf({ KEYGATE_LISTEN_GRPC_PORT: '4317' }).map(({ path }) => path),
    ['KEYGATE_LISTEN_GRPC_PORT'],
  );
});
