import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { changesBetween, standOf, withChanges } from '../../../src/config/changes.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { filesOf } from '../../support/config-files.ts';

type Input = z.input<typeof configSchema>;

function changes(before: Input, after: Input, files: { before?: Record<string, string>; after?: Record<string, string> } = {}) {
  return changesBetween(
    standOf(configSchema.parse(before), filesOf(files.before ?? {})),
    standOf(configSchema.parse(after), filesOf(files.after ?? files.before ?? {})),
  ).map(({ name, reloads }) => `${name} ${reloads ? 'reloads' : 'waits'}`);
}

test('an option that says the same in other words has not changed', () => {
  assert.deepEqual(changes({ limits: { maxBody: '1MiB' } }, { limits: { maxBody: '1024KiB' } }), []);
  assert.deepEqual(changes({}, { limits: {}, log: { level: 'info' } }), []);
});

test('each option that has changed is named, and whether it may change while the gateway runs', () => {
  assert.deepEqual(
    changes({}, { log: { level: 'debug' }, limits: { maxBody: '1MiB', maxHeaders: 50 }, plane: 'library' }).toSorted(),
    ['limits.maxBody reloads', 'limits.maxHeaders waits', 'log.level reloads', 'plane waits'],
  );
});

test('a list is one option', () => {
  const receiverKeys = [{ name: 'a', key: 'one' }];
  assert.deepEqual(changes({}, { keys: { receiverKeys } }), ['keys.receiverKeys reloads']);
  assert.deepEqual(
    changes({ keys: { receiverKeys } }, { keys: { receiverKeys: [{ name: 'a', key: 'two' }] } }),
    ['keys.receiverKeys reloads'],
  );
});

test('a group that is set or goes is one option, and waits for a restart', () => {
  const tls = { cert: 'a.crt', key: 'a.key' };
  assert.deepEqual(changes({}, { listen: { grpc: { tls } } }), ['listen.grpc.tls waits']);
  assert.deepEqual(changes({ listen: { grpc: { tls } } }, {}), ['listen.grpc.tls waits']);
  assert.deepEqual(changes({}, { store: { redis: { url: 'redis://a' } } }), ['store.redis waits']);
});

test('a file that says something else is a change of the option that names it', () => {
  const config: Input = { listen: { grpc: { tls: { cert: 'a.crt', key: 'a.key' } } } };
  const before = { 'a.crt': 'old', 'a.key': 'key' };
  assert.deepEqual(changes(config, config, { before }), []);
  assert.deepEqual(changes(config, config, { before, after: { ...before, 'a.crt': 'new' } }), [
    'listen.grpc.tls.cert reloads',
  ]);
});

test('an upstream may move, but not come or go; so may the authorities of clients', () => {
  const [a, b] = [{ upstream: { grpc: 'http://a:1' } }, { upstream: { grpc: 'http://b:1' } }];
  assert.deepEqual(changes(a, b), ['upstream.grpc reloads']);
  assert.deepEqual(changes(a, {}), ['upstream.grpc waits']);
  assert.deepEqual(changes({}, a), ['upstream.grpc waits']);
  const withCa = (clientCa: string | null): Input => ({ listen: { http: { tls: { cert: 'c', key: 'k', clientCa } } } });
  const before = { c: '', k: '', one: '1', two: '2' };
  assert.deepEqual(changes(withCa('one'), withCa('two'), { before }), ['listen.http.tls.clientCa reloads']);
  assert.deepEqual(changes(withCa('one'), withCa(null), { before }), ['listen.http.tls.clientCa waits']);
});

test('what is taken over is what was asked for, and nothing else', () => {
  const before = configSchema.parse({ upstream: { grpc: 'http://a:1' }, limits: { maxBody: '1MiB' } });
  const after = configSchema.parse({ upstream: { grpc: 'http://b:1' }, limits: { maxBody: '2MiB' } });
  const stand = (config: typeof before) => standOf(config, filesOf({}));
  const wanted = changesBetween(stand(before), stand(after)).filter(({ name }) => name === 'limits.maxBody');
  assert.deepEqual(withChanges(before, after, wanted), { ...before, limits: after.limits });
  assert.equal(before.limits.maxBody, 2 ** 20, 'the old one is left as it was');
});

test('a configuration survives being sent to another process', () => {
  const config = configSchema.parse({ keys: { receiverKeys: [{ name: 'a', key: 'b' }] } });
  assert.deepEqual(JSON.parse(JSON.stringify(config)), config);
});
