import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { RememberedKey } from '../../../src/cache/key-cache.ts';
import { createCacheSnapshot } from '../../../src/cache/snapshot.ts';
import type { SnapshotOptions } from '../../../src/cache/snapshot.ts';
import { newRecord, revoked } from '../../support/stores.ts';

const SECRET = 'a-secret-of-at-least-16-characters';
const NOW = 1_700_000_000_000;
const POSITION = { store: 'the-store', change: 7 };

/** A snapshot of a cache that is but a list of keys. */
async function setUp(t: TestContext, keys: readonly RememberedKey[] = [{ record: newRecord(), ageMs: 5_000 }]) {
  const directory = await mkdtemp(join(tmpdir(), 'keygate-snapshot-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'inner', 'snapshot');

  function open(options: Partial<SnapshotOptions> = {}) {
    const events: string[] = [];
    let restored: readonly RememberedKey[] = [];
    let revision = 0;
    const snapshot = createCacheSnapshot({
      path,
      secret: SECRET,
      intervalMs: 60_000,
      origin: 'here',
      maxKeys: 1_000,
      staleForMs: 3_600_000,
      cache: {
        remembered: () => [...keys],
        restore(list) {
          restored = list;
          return list.length;
        },
        revision: () => revision,
      },
      now: () => NOW,
      observe: {
        loaded: (outcome, count) => events.push(`${outcome} ${count}`),
        written: (count) => events.push(`written ${count}`),
        failed: (error) => events.push(`failed ${error.message}`),
      },
      ...options,
    });
    t.after(() => snapshot.stop());
    return { snapshot, events, restored: () => restored, touch: () => void revision++ };
  }

  async function write(options: Partial<SnapshotOptions> = {}): Promise<void> {
    const { snapshot, events } = open(options);
    snapshot.applied(POSITION);
    await snapshot.flush();
    assert.deepEqual(events, [`written ${keys.length}`]);
  }
  return { path, open, write };
}

describe('the snapshot of known keys', () => {
  it('gives back what was written, older by the time in between, and where the feed was', async (t) => {
    const keys = [
      { record: revoked(newRecord({ name: 'Größe\n"1"' }), NOW), ageMs: 100 },
      { record: newRecord({ tenant: 'acme' }), ageMs: 0 },
    ];
    const { open, write } = await setUp(t, keys);
    await write();
    const { snapshot, events, restored } = open({ now: () => NOW + 60_000 });
    assert.deepEqual(await snapshot.load(), POSITION);
    assert.deepEqual(
      restored(),
      keys.map(({ record, ageMs }) => ({ record, ageMs: ageMs + 60_000 })),
    );
    assert.deepEqual(events, ['loaded 2']);
  });

  it('is for the eyes of its owner, and holds neither the secret nor sealed copies; nothing else is left behind', async (t) => {
    const sealed = { cipher: 'AES-256-GCM', keyId: 'k', iv: 'aaaaaaaaaaaaaaaa', text: 'sealed-copy' };
    const record = { ...newRecord(), sealed } as unknown as RememberedKey['record'];
    const { path, write } = await setUp(t, [{ record, ageMs: 0 }]);
    await write();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const text = await readFile(path, 'utf8');
    assert.ok(text.includes(record.digest));
    assert.ok(!text.includes(SECRET) && !text.includes('sealed'));
    assert.deepEqual(await readdir(join(path, '..')), ['snapshot']);
  });

  const edit = (change: (text: string) => string) => async (path: string) =>
    writeFile(path, change(await readFile(path, 'utf8')));
  const refusals: Record<
    string,
    { outcome: string; damage?: (path: string) => Promise<void>; options?: Partial<SnapshotOptions> }
  > = {
    'is not there': { outcome: 'absent', damage: (path) => rm(path) },
    'is empty': { outcome: 'torn', damage: edit(() => '') },
    'was cut': { outcome: 'torn', damage: edit((text) => text.slice(0, -50)) },
    'was cut at the end of a line': { outcome: 'torn', damage: edit((text) => text.slice(0, text.indexOf('\n') + 1)) },
    'was changed': { outcome: 'signature', damage: edit((text) => text.replace('"active"', '"revoked"')) },
    'had a line taken out': { outcome: 'signature', damage: edit((text) => text.replace(/\{"record.*\n/, '')) },
    'was signed with another secret': { outcome: 'signature', options: { secret: 'another-secret-of-16-characters' } },
    'is of another store': { outcome: 'foreign', options: { origin: 'there' } },
    'is as old as keys may be': { outcome: 'old', options: { now: () => NOW + 3_600_000 } },
    'is of a time to come': { outcome: 'old', options: { now: () => NOW - 120_000 } },
    'is larger than such a file can be': { outcome: 'unreadable', options: { maxKeys: 0 } },
    'is a directory': {
      outcome: 'unreadable',
      damage: async (path) => {
        await rm(path);
        await mkdir(path);
      },
    },
  };
  for (const [what, { outcome, damage, options }] of Object.entries(refusals)) {
    it(`is refused, and nothing of it taken, when the file ${what}`, async (t) => {
      const { path, open, write } = await setUp(t);
      await write();
      await damage?.(path);
      const { snapshot, events, restored } = open(options);
      assert.equal(await snapshot.load(), undefined);
      assert.deepEqual(events, [`${outcome} 0`]);
      assert.deepEqual(restored(), []);
    });
  }

  it('is written only when something has changed, and not before it is known where the feed is', async (t) => {
    const { open } = await setUp(t);
    const { snapshot, events, touch } = open();
    await snapshot.flush();
    snapshot.applied({ store: null, change: 1 });
    await snapshot.flush();
    assert.deepEqual(events, []);
    for (const change of [1, 1, 2]) {
      snapshot.applied({ store: 'the-store', change });
      await snapshot.flush();
    }
    touch();
    await snapshot.flush();
    await snapshot.flush();
    assert.deepEqual(events, ['written 1', 'written 1', 'written 1']);
  });

  it('is never overwritten with the keys of a store that took the place of ours', async (t) => {
    const { open, write } = await setUp(t);
    await write();
    const { snapshot, events } = open();
    await snapshot.load();
    snapshot.applied({ store: 'another', change: 9 });
    await snapshot.flush();
    assert.deepEqual(events, ['loaded 1']);
  });

  it('follows a change of keys within a second', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { open } = await setUp(t);
    const { snapshot, events } = open();
    snapshot.start();
    snapshot.applied(POSITION);
    t.mock.timers.tick(1_000);
    await snapshot.flush();
    assert.deepEqual(events, ['written 1']);
  });

  it('says when it cannot be written, and tries again', async (t) => {
    const { path, open } = await setUp(t);
    await writeFile(join(path, '..', '..', 'file'), '');
    const { snapshot, events } = open({ path: join(path, '..', '..', 'file', 'snapshot') });
    snapshot.applied(POSITION);
    await snapshot.flush();
    await snapshot.flush();
    assert.equal(events.length, 2);
    assert.match(events[0] ?? '', /^failed .*file/);
  });
});
