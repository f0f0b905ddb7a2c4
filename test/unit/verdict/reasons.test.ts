import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reasons, row } from '../../../src/verdict/reasons.ts';
import type { Reason, Row } from '../../../src/verdict/reasons.ts';

const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;

/** What an OTLP client keeps its data on; on everything else it deletes it. */
const RETRYABLE_HTTP = [429, 502, 503, 504];
const RETRYABLE_GRPC = [1, 4, 10, 11, 14, 15];

function where(holds: (row: Row) => boolean): Reason[] {
  return reasons.filter((reason) => holds(row(reason)));
}

describe('the reason table', () => {
  it('answers a doubt with what makes the sender keep its data, over HTTP and over gRPC', () => {
    const undecided = where(({ verdict }) => verdict === 'undecided');
    assert.deepEqual(undecided, [
      'store_unavailable',
      'store_timeout',
      'unknown_signer',
      'upstream_unavailable',
      'upstream_overloaded',
      'draining',
      'unclear_question',
      'upstream_timeout',
    ]);
    const answers = undecided.map((reason) => `${row(reason).http} / ${row(reason).grpc}`);
    assert.deepEqual(answers, [...Array<string>(7).fill('503 / 14'), '504 / 4']);
  });

  it('hints at a retry for every doubt but a timeout, whose sender has waited enough', () => {
    const withoutHint = where(({ verdict, retrySeconds }) => verdict === 'undecided' && retrySeconds === undefined);
    assert.deepEqual(withoutHint, ['upstream_timeout']);
  });

  it('never makes a sender repeat what was denied for good', () => {
    const forGood = where(({ verdict, retrySeconds }) => verdict === 'deny' && retrySeconds === undefined);
    const repeated = forGood.filter(
      (reason) => RETRYABLE_HTTP.includes(row(reason).http) || RETRYABLE_GRPC.includes(row(reason).grpc),
    );
    assert.deepEqual(repeated, []);
  });

  it('denies for now with 429 and RESOURCE_EXHAUSTED, and always with a hint', () => {
    const forNow = where(({ verdict, retrySeconds }) => verdict === 'deny' && retrySeconds !== undefined);
    assert.deepEqual(forNow, ['rate_limited', 'quota_exceeded']);
    for (const reason of forNow) assert.deepEqual([row(reason).http, row(reason).grpc], [429, RESOURCE_EXHAUSTED]);
  });

  it('says RESOURCE_EXHAUSTED without a hint only of a body that will never fit', () => {
    const exhausted = where(({ grpc, retrySeconds }) => grpc === RESOURCE_EXHAUSTED && retrySeconds === undefined);
    assert.deepEqual(exhausted, ['body_too_large']);
  });

  it('never says 401, 500, UNKNOWN, INTERNAL or UNAUTHENTICATED', () => {
    assert.deepEqual(
      where(({ http, grpc }) => http === 401 || http === 500 || [2, 13, 16].includes(grpc)),
      [],
    );
  });

  it('says 403 exactly where it says PERMISSION_DENIED, and only to deny', () => {
    const forbidden = where(({ http }) => http === 403);
    assert.deepEqual(
      forbidden,
      where(({ grpc }) => grpc === PERMISSION_DENIED),
    );
    assert.deepEqual([...new Set(forbidden.map((reason) => row(reason).verdict))], ['deny']);
  });

  it('asks for a wait of 1 to 5 whole seconds: 0 makes clients spin, 10 makes them give up', () => {
    const bounds = new Set(reasons.map((reason) => row(reason).retrySeconds?.join('-')));
    assert.deepEqual(bounds, new Set([undefined, '1-5']));
  });

  it('blames the sender for what is denied, and never for a doubt', () => {
    for (const reason of reasons) {
      assert.equal(row(reason).fault === 'sender', row(reason).verdict === 'deny', reason);
    }
  });

  it('has words of its own for every reason, fit for a header field', () => {
    const messages = reasons.map((reason) => row(reason).message);
    assert.equal(new Set(messages).size, reasons.length);
    for (const message of messages) assert.match(message, /^[A-Z][\x20-\x7e]{10,150}\.$/);
  });
});
