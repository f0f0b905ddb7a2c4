import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { waitForChange } from '../../src/replica/progress.ts';
import type { FeedPosition, KeyStore } from '../../src/store/port.ts';
import type { Acknowledgement } from '../../src/store/replica-port.ts';
import { createWitness, digestOf, ENTRY, newRecord, revoked } from '../support/stores.ts';
import { storeKinds } from '../support/store-kinds.ts';
import { until } from '../support/wait.ts';

const NOW = 1_700_000_000_000;
const HOUR_US = 3_600_000_000;

for (const kind of storeKinds()) {
  describe(`gateways that share a key store in ${kind.name}`, () => {
    before(() => kind.begin());
    after(() => kind.end());

    /** The same store, as two processes see it. */
    function openTwice(t: TestContext): [KeyStore, KeyStore] {
      const place = kind.newPlace();
      const stores: [KeyStore, KeyStore] = [place.open(), place.open()];
      t.after(() => Promise.all(stores.map((store) => store.close())));
      return stores;
    }

    /** What a watch says of how far it is, and of questions. */
    async function follow(t: TestContext, store: KeyStore) {
      const positions: FeedPosition[] = [];
      const madeAt: number[] = [];
      const questions: { readonly id: string; readonly text: string }[] = [];
      const watch = await store.watch({
        ...createWitness(),
        applied(position, times) {
          positions.push(position);
          madeAt.push(...times);
        },
        asked: (id, text) => questions.push({ id, text }),
      });
      t.after(() => watch.close());
      return { positions, madeAt, questions };
    }

    const acknowledgement = (fields: Partial<Acknowledgement> = {}): Acknowledgement => ({
      id: 'a1',
      name: 'one:1',
      version: '1.2.3',
      startedAt: NOW,
      store: null,
      applied: 0,
      appliedAt: undefined,
      ...fields,
    });

    it('says how far a watch is, and when the changes it told were made', async (t) => {
      const [writer, reader] = openTwice(t);
      const record = newRecord();
      await writer.insert(newRecord(), NOW, ENTRY);
      const { positions, madeAt } = await follow(t, reader);
      assert.deepEqual(
        positions.map(({ change }) => change),
        [1],
      );
      const startedAt = (await writer.replicas.replicas()).now;
      await writer.insert(record, NOW, ENTRY);
      await writer.replace(revoked(record, NOW), ENTRY);
      await until('both changes are told', () => positions.at(-1)?.change === 3);
      const endedAt = (await writer.replicas.replicas()).now;
      assert.equal(madeAt.length, 2);
      for (const at of madeAt) assert.ok(at >= startedAt && at <= endedAt, `${startedAt} ${at} ${endedAt}`);
      assert.deepEqual(await reader.replicas.changeOf(record.digest), { number: 3, madeAt: madeAt[1] });
      assert.equal(await reader.replicas.changeOf(digestOf('nobody')), undefined);
    });

    it('shows each replica that acknowledged, with times of one clock, until it leaves', async (t) => {
      const [one, other] = openTwice(t);
      await one.insert(newRecord(), NOW, ENTRY);
      const { positions } = await follow(t, one);
      const store = positions[0]?.store ?? null;
      const first = await one.replicas.acknowledge(acknowledgement({ store, applied: 1 }));
      const second = await one.replicas.acknowledge(acknowledgement({ store, applied: 1, appliedAt: first }));
      await other.replicas.acknowledge(acknowledgement({ id: 'b2', name: 'two:2' }));
      const { now, lastChange, replicas } = await other.replicas.replicas();
      assert.equal(lastChange, 1);
      assert.ok(now >= second && second >= first);
      assert.deepEqual(
        replicas.find(({ id }) => id === 'a1'),
        { id: 'a1', name: 'one:1', version: '1.2.3', startedAt: NOW, applied: 1, appliedAt: first, seenAt: second },
      );
      await one.replicas.leave('a1');
      assert.deepEqual(
        (await other.replicas.replicas()).replicas.map(({ id }) => id),
        ['b2'],
      );
    });

    it('is not waited for any longer by whoever ends', async (t) => {
      const [writer, reader] = openTwice(t);
      const record = newRecord();
      await writer.insert(record, NOW, ENTRY);
      await reader.replicas.acknowledge(acknowledgement());
      const ending = new AbortController();
      const waiting = waitForChange(record.digest, {
        store: writer.replicas,
        timeoutMs: 60_000,
        signal: ending.signal,
      });
      ending.abort();
      await assert.rejects(waiting, { name: 'AbortError' });
    });

    it('ends the wait for a store that is away just as soon', async (t) => {
      const [store] = openTwice(t);
      await store.close();
      const ending = new AbortController();
      const waiting = waitForChange(newRecord().digest, {
        store: store.replicas,
        timeoutMs: 60_000,
        signal: ending.signal,
      });
      ending.abort();
      await assert.rejects(waiting, { name: 'AbortError' });
    });

    it('puts a question to all who watch, and gathers their answers', async (t) => {
      const [one, other] = openTwice(t);
      const [first, second] = [await follow(t, one), await follow(t, other)];
      const id = await one.replicas.ask('who?');
      await until('both have heard', () => first.questions.length + second.questions.length === 2);
      assert.deepEqual(
        [...first.questions, ...second.questions],
        [
          { id, text: 'who?' },
          { id, text: 'who?' },
        ],
      );
      await other.replicas.answer(id, 'b2', 'me');
      await one.replicas.answer(id, 'a1', 'and me');
      assert.deepEqual(Object.fromEntries(await one.replicas.answers(id)), { a1: 'and me', b2: 'me' });
      assert.equal((await one.replicas.answers('999')).size, 0);
    });

    if (kind.name === 'Redis') {
      it('takes what was applied of another store for nothing', async (t) => {
        const [one, other] = openTwice(t);
        await one.insert(newRecord(), NOW, ENTRY);
        await one.replicas.acknowledge(acknowledgement({ store: 'the one before the flush', applied: 99 }));
        assert.equal((await other.replicas.replicas()).replicas[0]?.applied, 0);
      });
    }

    it('tells times that are those of now', async (t) => {
      const [one] = openTwice(t);
      const { now } = await one.replicas.replicas();
      assert.ok(Math.abs(now - Date.now() * 1_000) < HOUR_US);
    });
  });
}
