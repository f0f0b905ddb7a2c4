import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countsOf, mergeTraffic, persistentIn, toTold } from '../../../src/traffic/merged.ts';
import type { ToldTraffic } from '../../../src/traffic/merged.ts';
import type { RefusedSource } from '../../../src/traffic/refused-sources.ts';
import { createTraffic } from '../../../src/traffic/traffic.ts';
import { newReport } from '../../support/reports.ts';
import { newRecord } from '../../support/stores.ts';

function source(fields: Partial<RefusedSource>): RefusedSource {
  return {
    peer: '10.0.0.1',
    userAgent: 'otelcol/1.0',
    reason: 'unknown_key',
    keyId: undefined,
    keyName: undefined,
    fingerprint: 'abc',
    perSecond: 1,
    count: 1,
    firstAtMs: 1_000,
    lastAtMs: 1_000,
    workedAtMs: undefined,
    ...fields,
  };
}

const told = (...refusedSources: readonly RefusedSource[]): ToldTraffic => ({
  sinceMs: 500,
  outcomes: [['accepted', 2]],
  refusedSources,
});

/** As it comes to another process. */
const sent = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

describe('the traffic of several processes', () => {
  it('counts the requests of all, since the first of them began', () => {
    const { outcomes, sinceMs, atMs } = mergeTraffic(
      [told(), { ...told(), sinceMs: 400, outcomes: [['accepted', 3] as const, ['expired_key', 1] as const] }],
      9_000,
    );
    assert.deepEqual(
      [...outcomes],
      [
        ['accepted', 5],
        ['expired_key', 1],
      ],
    );
    assert.deepEqual([sinceMs, atMs], [400, 9_000]);
  });

  it('is that of one sender where one is refused at both', () => {
    const { refusedSources } = mergeTraffic(
      sent([
        told(source({ perSecond: 1, count: 10, firstAtMs: 1_000, lastAtMs: 3_000 })),
        told(source({ perSecond: 2, count: 5, firstAtMs: 800, lastAtMs: 2_000, workedAtMs: 700 })),
      ]),
      9_000,
    );
    const [{ perSecond, count, firstAtMs, lastAtMs, workedAtMs } = source({}), ...others] = refusedSources;
    assert.deepEqual([perSecond, count, firstAtMs, lastAtMs, workedAtMs], [3, 15, 800, 3_000, 700]);
    assert.deepEqual(others, []);
  });

  it('tells those apart that differ in anything that people can act on', () => {
    const different = [
      { peer: '10.0.0.2' },
      { userAgent: 'other' },
      { reason: 'expired_key' as const },
      { keyId: '1' },
      { fingerprint: 'd' },
    ];
    const { refusedSources } = mergeTraffic([told(source({})), told(...different.map(source))], 9_000);
    assert.equal(refusedSources.length, 6);
  });

  it('has those that worked first, then the heaviest', () => {
    const { refusedSources } = mergeTraffic(
      [
        told(source({ peer: 'a', perSecond: 1 }), source({ peer: 'b', perSecond: 5 })),
        told(source({ peer: 'c', perSecond: 0.1, workedAtMs: 1 })),
      ],
      9_000,
    );
    assert.deepEqual(
      refusedSources.map(({ peer }) => peer),
      ['c', 'b', 'a'],
    );
  });

  it('adds up refusals before it says who is refused again and again', () => {
    const view = mergeTraffic([told(source({ count: 2 })), told(source({ count: 1 }))], 9_000);
    assert.equal(persistentIn(view, 10).length, 1);
    assert.equal(persistentIn(mergeTraffic([told(source({ count: 2 }))], 9_000), 10).length, 0);
    assert.equal(persistentIn(mergeTraffic([told(source({ count: 9 }))], 900_000), 10).length, 0, 'long ago');
  });

  it('keeps the counts of a process that has ended, and not its senders', () => {
    const { sinceMs, outcomes, refusedSources } = countsOf([told(source({})), told()]);
    assert.deepEqual([sinceMs, outcomes, refusedSources], [500, [['accepted', 4]], []]);
  });
});

describe('processes that tell each other who works', () => {
  it('know a sender that worked at the other', () => {
    const now = (): number => 50_000_000;
    const [a, b] = [createTraffic(now, true), createTraffic(now, true)];
    const key = newRecord();
    a.note(newReport({ outcome: 'accepted', key, peer: '10.0.0.9', userAgent: 'exporter' }));
    b.workedElsewhere(sent(a.takeWorked()));
    b.note(newReport({ outcome: 'revoked_key', key, peer: '10.0.0.9', userAgent: 'exporter' }));
    b.note(newReport({ outcome: 'unknown_key', key: undefined, peer: '10.0.0.9', userAgent: 'exporter' }));
    b.note(newReport({ outcome: 'unknown_key', key: undefined, peer: '10.0.0.8', userAgent: 'exporter' }));
    assert.deepEqual(
      toTold(b.look(10)).refusedSources.map(({ peer, workedAtMs }) => [peer, workedAtMs]),
      [
        ['10.0.0.9', 50_000_000],
        ['10.0.0.9', 50_000_000],
        ['10.0.0.8', undefined],
      ],
    );
    assert.deepEqual(b.takeWorked(), [], 'what it has heard it does not pass on');
  });

  it('tell it again only after a while', () => {
    let nowMs = 50_000_000;
    const { note, takeWorked } = createTraffic(() => nowMs, true);
    const report = newReport({ outcome: 'accepted', key: newRecord() });
    const heard = (): number => {
      note(report);
      return takeWorked().length;
    };
    assert.deepEqual([heard(), heard()], [2, 0], 'the key and the program');
    nowMs += 600_000;
    assert.equal(heard(), 2);
  });

  it('say nothing where there is one', () => {
    const { note, takeWorked } = createTraffic(() => 50_000_000);
    note(newReport({ outcome: 'accepted', key: newRecord() }));
    assert.deepEqual(takeWorked(), []);
  });
});
