import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig, type LoadOptions } from '../../../src/config/load.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { filesOf } from '../../support/config-files.ts';

const UPSTREAM = { grpc: 'http://collector:4317' };

/** Loads this text as keygate.yaml, beside other files. */
function load(text: string, options: Partial<LoadOptions> & { files?: Record<string, string> } = {}) {
  const { files = {}, ...rest } = options;
  return loadConfig({ file: 'keygate.yaml', env: {}, readFile: filesOf({ 'keygate.yaml': text, ...files }), ...rest });
}

function configOf(result: ReturnType<typeof loadConfig>) {
  assert.deepEqual(result.ok ? [] : result.faults, []);
  assert.ok(result.ok);
  return result.config;
}

function faultsOf(result: ReturnType<typeof loadConfig>) {
  assert.ok(!result.ok, 'the configuration has faults');
  return result.faults;
}

test('what the file does not say has its default', () => {
  const config = configOf(load('upstream: { grpc: "http://collector:4317" }\nlimits: { maxBody: 1MiB }'));
  assert.deepEqual(config, configSchema.parse({ upstream: UPSTREAM, limits: { maxBody: '1MiB' } }));
});

test('without a file, defaults and environment make the configuration', () => {
  const result = loadConfig({ env: { KEYGATE_UPSTREAM_GRPC: UPSTREAM.grpc }, readFile: filesOf({}) });
  assert.deepEqual(result, {
    ok: true,
    config: configSchema.parse({ upstream: UPSTREAM }),
    source: undefined,
    variables: ['KEYGATE_UPSTREAM_GRPC'],
  });
});

test('an empty file, a file of comments, and sections with nothing in them all mean the defaults', () => {
  const env = { KEYGATE_UPSTREAM_GRPC: UPSTREAM.grpc };
  for (const text of ['', '\n', '# nothing yet\n', 'limits:\n  # maxBody: 1MiB\nlisten:\n  grpc:\n', 'upstream:\n']) {
    assert.deepEqual(configOf(load(text, { env })), configSchema.parse({ upstream: UPSTREAM }));
  }
});

test('KEYGATE_CONFIG names the file, unless the caller does', () => {
  const readFile = filesOf({
    'a.yaml': 'upstream: { grpc: "http://a:1" }',
    'b.yaml': 'upstream: { grpc: "http://b:1" }',
  });
  const env = { KEYGATE_CONFIG: 'a.yaml' };
  assert.equal(configOf(loadConfig({ env, readFile })).upstream.grpc, 'http://a:1');
  assert.equal(configOf(loadConfig({ file: 'b.yaml', env, readFile })).upstream.grpc, 'http://b:1');
});

test('a real file is read from disk', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-config-'));
  try {
    const file = join(directory, 'keygate.yaml');
    writeFileSync(file, 'upstream: { grpc: "http://collector:4317" }\n');
    const result = loadConfig({ file, env: {} });
    assert.deepEqual(configOf(result), configSchema.parse({ upstream: UPSTREAM }));
    assert.equal(result.ok && result.source, file);
    assert.deepEqual(faultsOf(loadConfig({ file: directory, env: {} })), [
      {
        path: '',
        message: 'The configuration file is a directory. Give another one with --config or KEYGATE_CONFIG.',
        where: directory,
      },
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a file that is not there is a fault that names it', () => {
  assert.deepEqual(faultsOf(loadConfig({ file: 'nowhere.yaml', env: {}, readFile: filesOf({}) })), [
    {
      path: '',
      message: 'The configuration file does not exist. Give another one with --config or KEYGATE_CONFIG.',
      where: 'nowhere.yaml',
    },
  ]);
});

test('five faults of five kinds are all named, each with its place, its value and what is allowed', () => {
  const text = `
listen:
  grpc:
    tls: { cert: /missing.crt, key: /key.pem }
limits:
  maxBdy: 1MiB
  maxHeaders: 5
upstream:
  timeout: 30
keys:
  bareAuthorization: sometimes
`;
  const env = { KEYGATE_UPSTREAM_GRPC: UPSTREAM.grpc };
  assert.deepEqual(faultsOf(load(text, { env, files: { '/key.pem': 'key' } })), [
    {
      path: 'listen.grpc.tls.cert',
      message: 'must be a file that can be read: it does not exist',
      value: '"/missing.crt"',
      where: 'keygate.yaml:4:18',
    },
    {
      path: 'limits.maxBdy',
      message: 'There is no such option. Did you mean maxBody?',
      where: 'keygate.yaml:6:3',
    },
    {
      path: 'limits.maxHeaders',
      message: 'must be a whole number from 16 to 1,000',
      value: '5',
      where: 'keygate.yaml:7:15',
    },
    {
      path: 'upstream.timeout',
      message: 'must be a duration from 100ms to 10m, with its unit: ms, s, m, h, d',
      value: '30',
      where: 'keygate.yaml:9:12',
    },
    {
      path: 'keys.bareAuthorization',
      message: 'must be true or false',
      value: '"sometimes"',
      where: 'keygate.yaml:11:22',
    },
  ]);
});

test('an option that is not there is answered with the one that was probably meant', () => {
  const suggestion = (text: string) => faultsOf(load(text)).map(({ path, message }) => `${path}: ${message}`)[0];
  assert.equal(
    suggestion('limits: { max_body: 1MiB }'),
    'limits.max_body: There is no such option. Did you mean maxBody?',
  );
  assert.equal(suggestion('limit: {}'), 'limit: There is no such option. Did you mean limits?');
  assert.equal(suggestion('maxBody: 1MiB'), 'maxBody: There is no such option here. Did you mean limits.maxBody?');
  assert.equal(
    suggestion('log: { colour: true }'),
    'log.colour: There is no such option. Here may stand: level, format, acceptedEvery.',
  );
});

test('a mistyped option is one fault, not also the lack of the option that was meant', () => {
  const faults = faultsOf(
    load('upstream: { grcp: "http://collector:4317" }\nstore: { redis: { ulr: "redis://r:1" } }'),
  );
  assert.deepEqual(
    faults.map(({ path }) => path),
    ['upstream.grcp', 'store.redis.ulr'],
  );
});

test('syntax faults come with line and column, together with the faults of the environment', () => {
  const faults = faultsOf(load('log:\n  level: "info\n', { env: { KEYGATE_LOGLEVEL: 'info' } }));
  assert.deepEqual(faults, [
    {
      path: '',
      message: 'Something is not closed or not ended here: a quote, a bracket, a brace, or the ":" after an option.',
      where: 'keygate.yaml:3:1',
    },
    { path: 'KEYGATE_LOGLEVEL', message: 'There is no such variable. Did you mean KEYGATE_LOG_LEVEL?' },
  ]);
});

test('an option that is set twice is a fault, and the rest of the file is judged all the same', () => {
  const faults = faultsOf(load('log: { level: info }\nupstream: { grpc: collector }\nlog: { level: debug }\n'));
  assert.deepEqual(faults, [
    {
      path: 'upstream.grpc',
      message: 'must be http://host:port or https://host:port, without user, path or query',
      value: '"collector"',
      where: 'keygate.yaml:2:19',
    },
    { path: 'log', message: 'This option was set before. Remove one of the two.', where: 'keygate.yaml:3:1' },
  ]);
});

test('a file that holds anything but options is told what a configuration is', () => {
  for (const text of ['- a\n- b\n', 'keygate\n', '42\n']) {
    assert.deepEqual(faultsOf(load(text)), [
      {
        path: '',
        message: 'A configuration file holds options and their values, as in "log: { level: info }".',
        where: 'keygate.yaml:1:1',
      },
    ]);
  }
});

test('aliases work, and a bomb made of them is refused', () => {
  const tls = 'listen: { grpc: { address: &here "127.0.0.1:0" }, http: { address: *here } }\n';
  assert.equal(configOf(load(`${tls}upstream: { grpc: "http://collector:1" }`)).listen.http.address, '127.0.0.1:0');
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`);
  assert.equal(faultsOf(load(`l0: &l0 [x]\n${levels.join('\n')}\n`)).length, 1);
});

test("a variable changes its option alone, though an alias gives the file's value to another", () => {
  const text = 'listen: { grpc: &same { address: "127.0.0.1:0" }, http: *same }\nupstream: { grpc: "http://c:1" }';
  const { listen } = configOf(load(text, { env: { KEYGATE_LISTEN_GRPC_ADDRESS: '127.0.0.1:5317' } }));
  assert.deepEqual([listen.grpc.address, listen.http.address], ['127.0.0.1:5317', '127.0.0.1:0']);
});

test('what one load was told, the next one does not know', () => {
  configOf(loadConfig({ env: { KEYGATE_UPSTREAM_GRPC: UPSTREAM.grpc, KEYGATE_LOG_LEVEL: 'debug' } }));
  const config = configOf(loadConfig({ env: {}, dev: true }));
  assert.deepEqual([config.upstream.grpc, config.log.level], [null, 'info']);
});

test('the configuration cannot be changed, at any depth', () => {
  const config = configOf(
    load('upstream: { grpc: "http://collector:1" }\nkeys: { receiverKeys: [{ name: a, key: b }] }'),
  );
  const unfrozen: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if (!Object.isFrozen(value)) unfrozen.push(path);
    for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${key}`);
  };
  visit(config, 'config');
  assert.deepEqual(unfrozen, []);
});

test('dev mode listens on the loopback address and needs no upstream', () => {
  const config = configOf(load('listen: { http: { address: "0.0.0.0:5318" } }', { dev: true, env: {} }));
  assert.deepEqual(
    [config.listen.grpc.address, config.listen.http.address, config.admin.address, config.ops.address],
    ['127.0.0.1:4317', '0.0.0.0:5318', '127.0.0.1:7070', '127.0.0.1:9464'],
  );
  assert.deepEqual([config.upstream.grpc, config.upstream.http], [null, null]);
});
