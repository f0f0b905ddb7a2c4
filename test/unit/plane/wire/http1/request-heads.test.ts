import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDigester } from '../../../../../src/credential/digest.ts';
import { createGate } from '../../../../../src/gate.ts';
import { UNKNOWN } from '../../../../../src/keys/answer.ts';
import { RequestHeads } from '../../../../../src/plane/wire/http1/request-heads.ts';
import { createHeadReader } from '../../../../../src/plane/wire/request-head.ts';
import { createIsVarying } from '../../../../../src/plane/wire/varying.ts';

const RULES = { isVarying: createIsVarying([], undefined), limits: { maxHeaders: 20, maxHeaderBytes: 2_000 } };

/** The heads of one connection; says how many of those given had to be read in full. */
function createConnection() {
  let reads = 0;
  const gate = createGate({
    readCredential() {
      reads++;
      return { problem: 'missing_credential' };
    },
    digest: createDigester({}),
    lookup: () => UNKNOWN,
    now: () => 0,
  });
  const readHead = createHeadReader({
    gate,
    grpcRoutes: new Map(),
    httpRoutes: (target) => ({ route: undefined, target, keys: [] }),
  });
  const heads = new RequestHeads(RULES, readHead, '192.0.2.1');
  return (...sent: readonly Buffer[]): number => {
    const before = reads;
    for (const bytes of sent) {
      assert.notEqual(heads.next(bytes, 0), 'incomplete');
      assert.equal(heads.end, bytes.length);
    }
    return reads - before;
  };
}

const head = (key: string, traceparent = '00-1'): Buffer =>
  Buffer.from(
    `POST /v1/traces HTTP/1.1\r\nHost: x\r\nX-API-Key: ${key}\r\ntraceparent: ${traceparent}\r\nContent-Length: 0\r\n\r\n`,
  );
const strangers = (count: number, name: string): Buffer[] =>
  Array.from({ length: count }, (_, i) => head(`${name}-${i}`));

test('a head is remembered when it comes for the second time, whatever its varying values are', () => {
  const read = createConnection();
  assert.equal(read(head('a', '00-1'), head('a', '00-2')), 2);
  assert.equal(read(head('a', '00-3'), head('a', '00-4'), head('a', '00-3')), 0);
  assert.equal(read(head('b'), head('b'), head('b')), 2);
});

test('heads that never come again push out none that do', () => {
  const read = createConnection();
  assert.equal(read(head('a'), head('a'), head('b'), head('b')), 4);
  assert.equal(read(...strangers(1_000, 'x')), 1_000);
  assert.equal(read(head('a'), head('b')), 0);
});

test('a head that comes among many strangers is found to come again', () => {
  const read = createConnection();
  assert.equal(read(head('a'), ...strangers(50, 'x'), head('a')), 52);
  assert.equal(read(...strangers(50, 'y'), head('a')), 50);
  assert.equal(read(head('b'), ...strangers(100, 'z'), head('b'), ...strangers(100, 'w'), head('b')), 203);
});
