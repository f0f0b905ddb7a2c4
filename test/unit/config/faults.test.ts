import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFaults, showValue } from '../../../src/config/faults.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { filesOf } from '../../support/config-files.ts';

test('faults are printed one block each, headed by their number', () => {
  const faults = [
    { path: 'limits.maxBody', value: '"64MB"', message: 'must be a size', where: 'keygate.yaml:3:12' },
    { path: 'log.level', value: '"loud"', message: 'must be one of info, warn', where: 'KEYGATE_LOG_LEVEL' },
    { path: 'KEYGATE_COLOUR', message: 'There is no such variable.' },
  ];
  assert.equal(
    formatFaults(faults),
    `\
The configuration has 3 faults:

  limits.maxBody = "64MB"
    must be a size
    at keygate.yaml:3:12

  log.level = "loud"
    must be one of info, warn
    set by KEYGATE_LOG_LEVEL

  KEYGATE_COLOUR
    There is no such variable.`,
  );
});

test('one fault is not called faults', () => {
  const [head] = formatFaults([{ path: '', message: 'This is not valid YAML.', where: 'a.yaml:1:1' }]).split('\n');
  assert.equal(head, 'The configuration has 1 fault:');
});

test('values are shown quoted, cut, without control characters, and URLs without user and password', () => {
  assert.equal(showValue('x'.repeat(100)), `"${'x'.repeat(59)}…`);
  assert.equal(showValue('\u001B[31mred'), '"\\u001b[31mred"');
  assert.equal(showValue('http://user:p@ss"w/rd@collector:4317'), '"http://***@collector:4317"');
  assert.equal(showValue(['a', 1, null]), '["a",1,null]');
});

const SECRET = 'hunter2-hunter2-hunter2';

const LEAKS: Record<string, { text?: string; env?: Record<string, string> }> = {
  'a Redis URL of the wrong form': { text: `store: { redis: { url: "http://:${SECRET}@redis" } }` },
  'a Redis URL in place of the group': { text: `store: { redis: "redis://:${SECRET}@redis:6379" }` },
  'a Redis URL in place of the section': { text: `store: "redis://:${SECRET}@redis:6379"` },
  'a Redis URL under a mistyped name': { text: `store: { redis: { uri: "redis://:${SECRET}@redis:6379" } }` },
  'a pepper that is too short': {
    env: { KEYGATE_KEYS_PEPPER_ID: 'a', KEYGATE_KEYS_PEPPER_SECRET: SECRET.slice(0, 15) },
  },
  'a pepper that is a number': { text: 'keys: { pepper: { id: a, secret: 31415926535897932384 } }' },
  'a pepper in a variable that is no YAML': { env: { KEYGATE_KEYS_PEPPER: `{id: a, secret: "${SECRET}` } },
  'a key with a space': { text: `keys: { receiverKeys: [{ name: a, key: "${SECRET} x" }] }` },
  'keys without names': { text: `keys: { receiverKeys: ["${SECRET}"] }` },
  'keys in place of a list': { env: { KEYGATE_KEYS_RECEIVER_KEYS: SECRET } },
  'the same key twice': { text: `keys: { receiverKeys: [{ name: a, key: ${SECRET} }, { name: b, key: ${SECRET} }] }` },
  'a password in an upstream': { env: { KEYGATE_UPSTREAM_HTTP: `http://user:${SECRET}@collector:4318` } },
  'a secret in a variable of no option': { env: { KEYGATE_PEPPER: SECRET } },
  'a secret that YAML takes for an alias': { text: `keys: { pepper: { id: a, secret: *${SECRET} } }` },
  'a secret that YAML takes for a tag': { text: `keys:\n  pepper:\n    id: a\n    secret: !${SECRET}\n` },
  'a secret whose quote is not closed': { text: `keys: { pepper: { id: a, secret: "${SECRET} } }\n` },
  'a secret on a broken line': { text: `keys:\n  pepper:\n  secret ${SECRET}\n    id: a\n` },
};

for (const [name, { text = '', env = {} }] of Object.entries(LEAKS)) {
  test(`no fault shows a secret: ${name}`, () => {
    const readFile = filesOf({ 'keygate.yaml': text });
    const result = loadConfig({ file: 'keygate.yaml', env: { KEYGATE_UPSTREAM_GRPC: 'http://c:1', ...env }, readFile });
    assert.ok(!result.ok, 'there is a fault to print');
    const printed = formatFaults(result.faults);
    assert.doesNotMatch(printed, /hunter2|3141592653/);
    assert.match(printed, /at keygate\.yaml:\d+:\d+|set by KEYGATE_|KEYGATE_PEPPER\n/);
  });
}
