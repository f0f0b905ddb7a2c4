import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endedCookie, readSessionCookie, sessionCookie } from '../../../src/console/cookie.ts';

test('scripts and other sites do not get the cookie, and behind TLS no other host can set it', () => {
  assert.equal(sessionCookie('abc', false), 'keygate-session=abc; Path=/; HttpOnly; SameSite=Strict');
  assert.equal(sessionCookie('abc', true), '__Host-keygate-session=abc; Path=/; HttpOnly; SameSite=Strict; Secure');
  assert.equal(endedCookie(true), '__Host-keygate-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict; Secure');
});

test('the cookie is found among others, by the name that belongs to the way it came', () => {
  const header = 'theme=dark; keygate-session=abc;other=1; __Host-keygate-session=def';
  assert.equal(readSessionCookie(header, false), 'abc');
  assert.equal(readSessionCookie(header, true), 'def');
  assert.equal(readSessionCookie('x-keygate-session=abc', false), undefined);
  assert.equal(readSessionCookie(undefined, false), undefined);
});

test('two cookies of the name are none: one of them was set by somebody else', () => {
  assert.equal(readSessionCookie('keygate-session=abc; keygate-session=def', false), undefined);
});
