import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { debianProgram } from '../conformance/toolchain.ts';
import { startRedis } from '../support/redis.ts';
import { openShell, toRun } from '../support/runbook.ts';
import type { Shell } from '../support/runbook.ts';
import { until } from '../support/wait.ts';
import { aDirectory, openPlace } from './place.ts';
import type { Place } from './place.ts';

for (const [program, packageName] of [
  ['redis-cli', 'redis-tools'],
  ['sqlite3', 'sqlite3'],
] as const)
  debianProgram(program, packageName);

const [ALLOWED, DENIED] = [0, 7];

/** The page's blocks under a heading: the backup, and then the restoring. */
async function run(shell: Shell, heading: string, block: number): Promise<string> {
  const text = toRun({ page: 'docs/operations.md', heading })[block]?.text ?? 'false';
  const { code, output } = await shell.run(text);
  assert.equal(code, 0, `${text}\n${output}`);
  return output;
}

const comes = (place: Place, key: string, status: number): Promise<void> =>
  until(`it is answered ${status}`, async () => (await place.statusOf(key)) === status, 20_000);

describe('docs/operations.md, backup and restore', () => {
  it('Redis: gateways go on by themselves with what the file has, and refuse what it does not have', async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const place = await openPlace(t, { redis: { url: redis.url } });
    const [, directory] = (await redis.command('CONFIG', 'GET', 'dir')) as [string, string];
    const shell = place.shell({
      names: [
        ['-h redis', `-h 127.0.0.1 -p ${redis.port}`],
        ['/var/lib/redis/dump.rdb', join(directory, 'dump.rdb')],
      ],
    });
    const [kept, revoked] = [await place.createKey('kept'), await place.createKey('revoked later')];
    for (const { key } of [kept, revoked]) assert.equal(await place.statusOf(key), ALLOWED);
    await run(shell, 'Redis', 0);
    await place.cli('ingestion-api-key', 'delete', '--id', revoked.id, '--force');
    await comes(place, revoked.key, DENIED);

    await redis.kill();
    await run(shell, 'Redis', 1);
    await redis.restart();
    await comes(place, revoked.key, ALLOWED);
    assert.equal(await place.statusOf(kept.key), ALLOWED);
    const made = await place.createKey('made afterwards');
    await comes(place, made.key, ALLOWED);
    await place.cli('ingestion-api-key', 'delete', '--id', made.id, '--force');
    await comes(place, made.key, DENIED);
    assert.match(await place.cli('audit', 'list'), /kept/);
  });

  it('SQLite: the copy is made while the gateway writes, and a gateway goes on with it', async (t) => {
    const path = join(aDirectory(t), 'keys.db');
    const place = await openPlace(t, { sqlite: { path } });
    const shell = place.shell({ names: [['/var/lib/keygate/keys.db', path]] });
    const kept = await place.createKey('kept');
    const sender = await place.send(() => kept.key);
    await run(shell, 'SQLite', 0);
    await sender.stop();
    assert.deepEqual([...new Set(sender.codes)], [ALLOWED]);
    const later = await place.createKey('made later');
    assert.equal(await place.statusOf(later.key), ALLOWED);

    place.keygate.signal('SIGTERM');
    await place.keygate.exited;
    await run(shell, 'SQLite', 1);
    const restored = await openPlace(t, { sqlite: { path } });
    assert.equal(await restored.statusOf(kept.key), ALLOWED);
    assert.equal(await restored.statusOf(later.key), DENIED);
    assert.match(await restored.cli('audit', 'list'), /kept/);
  });

  it('an export: what is imported into an empty store works at a gateway that is started then', async (t) => {
    const place = await openPlace(t, { sqlite: { path: join(aDirectory(t), 'keys.db') } });
    const [kept, revoked] = [await place.createKey('kept'), await place.createKey('revoked')];
    await place.cli('ingestion-api-key', 'delete', '--id', revoked.id, '--force');
    const shell = place.shell();
    await run(shell, 'An export', 0);

    const redis = await startRedis();
    t.after(() => redis.stop());
    const elsewhere = openShell(t, {
      names: [['./keys.jsonl', join(shell.directory, 'keys.jsonl')]],
      env: { KEYGATE_STORE_REDIS_URL: redis.url },
    });
    await run(elsewhere, 'An export', 1);
    const restored = await openPlace(t, { redis: { url: redis.url } });
    assert.equal(await restored.statusOf(kept.key), ALLOWED);
    assert.equal(await restored.statusOf(revoked.key), DENIED);
  });
});
