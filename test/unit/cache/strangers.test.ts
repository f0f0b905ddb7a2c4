import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStrangers, networkOf } from '../../../src/cache/strangers.ts';
import { STORE_UNAVAILABLE, UNKNOWN } from '../../../src/keys/answer.ts';
import type { KeyAnswer } from '../../../src/keys/answer.ts';
import { newRecord } from '../../support/stores.ts';

const FOUND: KeyAnswer = { kind: 'known', record: newRecord() };

function setUp(perSecond = 100) {
  let nowMs = 0;
  let shed = 0;
  let asked = 0;
  const strangers = createStrangers({ now: () => nowMs, perSecond, shed: () => void shed++ });
  /** How many of so many lookups of this sender took place. */
  async function send(from: string, count: number, answer: KeyAnswer): Promise<number> {
    const before = asked;
    for (let i = 0; i < count; i++) {
      await strangers.ask(from, async () => {
        asked++;
        return answer;
      });
    }
    return asked - before;
  }
  return { strangers, send, shed: () => shed, advance: (ms: number) => void (nowMs += ms) };
}

describe('lookups of keys that may be made up', () => {
  it('pass as long as they find something, however many, and while the store cannot tell', async () => {
    const { send, shed } = setUp();
    assert.equal(await send('192.0.2.1', 1_000, FOUND), 1_000);
    assert.equal(await send('192.0.2.1', 1_000, STORE_UNAVAILABLE), 1_000);
    assert.equal(shed(), 0);
  });

  it('that find nothing are bounded for each network, and come back with time', async () => {
    const { send, shed, advance } = setUp();
    assert.equal(await send('192.0.2.1', 1_000, UNKNOWN), 50);
    assert.equal(shed(), 950);
    advance(1_000);
    assert.equal(await send('192.0.2.1', 1_000, UNKNOWN), 25);
    advance(60_000);
    assert.equal(await send('192.0.2.1', 1_000, UNKNOWN), 50);
  });

  it('answer that nothing can be decided where there is no room', async () => {
    const { strangers, send } = setUp();
    await send('192.0.2.1', 50, UNKNOWN);
    assert.equal(
      strangers.ask('192.0.2.1', () => assert.fail('it was looked up')),
      STORE_UNAVAILABLE,
    );
  });

  it('that find nothing are bounded for all networks together', async () => {
    const { send, advance } = setUp();
    let asked = 0;
    for (let second = 0; second < 60; second++) {
      for (let i = 0; i < 100; i++) asked += await send(`192.0.2.${i}`, 20, UNKNOWN);
      advance(1_000);
    }
    assert.ok(asked > 1_000 && asked <= 61 * 100, `${asked} lookups`);
  });

  it('pass for a network that has wasted none, while others waste all they can', async () => {
    const { send, advance } = setUp();
    for (let tenth = 0; tenth < 50; tenth++) {
      for (let i = 0; i < 20; i++) await send(`192.0.2.${i}`, 10, UNKNOWN);
      assert.equal(await send('198.51.100.1', 10, FOUND), 10);
      advance(100);
    }
  });

  it('are bounded while they are under way', async () => {
    const { strangers } = setUp();
    const { promise, resolve } = Promise.withResolvers<KeyAnswer>();
    const answers = Array.from({ length: 60 }, () => strangers.ask('192.0.2.1', () => promise));
    assert.equal(answers.filter((answer) => answer === STORE_UNAVAILABLE).length, 10);
    resolve(FOUND);
    await Promise.all(answers);
    assert.equal(
      strangers.ask('192.0.2.1', () => FOUND),
      FOUND,
    );
  });
});

it('an IPv6 address stands for its /64, an IPv4 address for itself', () => {
  const cases = [
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0db8:1:2::6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['', ''],
  ];
  for (const [address = '', network] of cases) assert.equal(networkOf(address), network);
});
