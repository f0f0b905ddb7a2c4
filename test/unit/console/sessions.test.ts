import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import {
  ABSOLUTE_MS,
  createSessions,
  IDLE_MS,
  MAX_SESSIONS,
  MAX_SESSIONS_OF_TOKEN,
} from '../../../src/console/sessions.ts';
import type { SignedIn } from '../../../src/console/sessions.ts';
import { digestOf } from '../../support/stores.ts';

const CREDENTIAL: SignedIn = { digests: { digest: digestOf('token'), alternates: [] }, fingerprint: 'abc' };

function setUp() {
  let nowMs = 1_000_000;
  const sessions = createSessions({ now: () => nowMs, random: randomBytes });
  return { sessions, advance: (ms: number) => void (nowMs += ms) };
}

test('a session is found by its id until it is ended, and ids cannot be guessed', () => {
  const { sessions } = setUp();
  const [first, second] = [sessions.open(CREDENTIAL, '1'), sessions.open(CREDENTIAL, '1')];
  assert.match(first, /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(first, second);
  assert.deepEqual(sessions.find(first, 'used'), CREDENTIAL);
  assert.equal(sessions.find(`${first}x`, 'used'), undefined);
  assert.equal(sessions.find('', 'used'), undefined);
  sessions.end(first);
  assert.equal(sessions.find(first, 'used'), undefined);
  assert.deepEqual(sessions.find(second, 'used'), CREDENTIAL);
});

test('a session that nobody uses ends, and a page that asks by itself is no use', () => {
  const { sessions, advance } = setUp();
  const [used, polled] = [sessions.open(CREDENTIAL, '1'), sessions.open(CREDENTIAL, '1')];
  advance(IDLE_MS - 1);
  assert.ok(sessions.find(used, 'used') && sessions.find(polled, 'polled'));
  advance(1);
  assert.deepEqual([sessions.find(used, 'used'), sessions.find(polled, 'polled')], [CREDENTIAL, undefined]);
});

test('a session ends after a shift, however busy it is', () => {
  const { sessions, advance } = setUp();
  const id = sessions.open(CREDENTIAL, '1');
  const steps = ABSOLUTE_MS / (IDLE_MS / 2);
  for (let step = 1; step < steps; step++) {
    advance(IDLE_MS / 2);
    assert.ok(sessions.find(id, 'used'), `after ${step} steps`);
  }
  advance(IDLE_MS / 2);
  assert.equal(sessions.find(id, 'used'), undefined);
});

test('a token has so many sessions: the one that was idle for longest makes room', () => {
  const { sessions, advance } = setUp();
  const ids = Array.from({ length: MAX_SESSIONS_OF_TOKEN }, () => {
    advance(1);
    return sessions.open(CREDENTIAL, '1');
  });
  advance(1);
  assert.ok(sessions.find(ids[0] ?? '', 'used'));
  const other = sessions.open(CREDENTIAL, '2');
  sessions.open(CREDENTIAL, '1');
  const alive = [...ids, other].map((id) => sessions.find(id, 'polled') !== undefined);
  assert.deepEqual(alive, [true, false, ...Array.from({ length: MAX_SESSIONS_OF_TOKEN - 1 }, () => true)]);
});

test('all tokens together have so many', () => {
  const { sessions } = setUp();
  const ids = Array.from({ length: MAX_SESSIONS + 5 }, (_, index) => sessions.open(CREDENTIAL, String(index)));
  const alive = ids.filter((id) => sessions.find(id, 'polled') !== undefined);
  assert.deepEqual(alive, ids.slice(5));
});
