import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandsThrough } from '../support/commands.ts';
import type { CliResult } from '../support/run-cli.ts';

const done = (stdout: string): CliResult => ({ code: 0, stdout, stderr: '' });

for (const [through, group, title] of [
  ['store', 'service-id', 'Service id'],
  ['admin API', 'user', 'User'],
] as const) {
  test(`a ${group} and its keys live and die together through the ${through}`, async (t) => {
    const { run } = await commandsThrough(t, through);
    const created = await run(group, 'create', '--name', 'checkout', '--description', 'the shop');
    const [, id = ''] = new RegExp(`^✅ ${title} created: ([0-9]+)\n$`).exec(created.stdout) ?? [];
    assert.notEqual(id, '', created.stdout + created.stderr);
    const key = await run('ingestion-api-key', 'create', '-n', 'eu', '--owner', 'checkout', '-o', 'json');
    const { id: keyId } = (JSON.parse(key.stdout) as Record<string, { id: number }>)['ingestion-api-key'] ?? {};

    assert.deepEqual(
      await run(group, 'list'),
      done(
        `${'ID'.padEnd(id.length)} | NAME     | STATE  | ROLES    | DESCRIPTION\n` +
          `${id} | checkout | active | [Sender] | the shop   \n`,
      ),
    );
    assert.deepEqual(
      await run(group, 'lock', id),
      done(`✅ ${title} locked: ${id}\n1 key is refused until it is unlocked.\n`),
    );
    assert.deepEqual(
      await run(group, 'unlock', '-i', id),
      done(`✅ ${title} unlocked: ${id}\n1 key is taken again.\n`),
    );
    assert.deepEqual(await run(group, 'update', id, '--roles', 'none'), done(`✅ ${title} updated: ${id}\n`));
    const { stdout } = await run(group, 'describe', id);
    assert.match(
      stdout,
      /^ID: .*\nName: {8}checkout\nState: {7}active\nRoles: {7}none\nDescription: the shop\nKeys: {8}1\nCreated: .* by .*\n$/,
    );
    const described = await run('ingestion-api-key', 'describe', String(keyId));
    assert.match(described.stdout, new RegExp(`\nOwner: {7}${title.toLowerCase()} checkout \\(${id}\\)\n`));
    assert.deepEqual(await run(group, 'delete', id), done(`✅ ${title} deleted: ${id}\n1 key is refused for good.\n`));
    assert.match((await run(group, 'describe', id)).stdout, /\nDeleted: {5}.* by .*\n$/);
    assert.deepEqual(await run(group, 'list'), done(`No ${title.toLowerCase()}s found.\n`));
    assert.equal((await run(group, 'lock', '5')).code, 8);
  });
}

test('whoever names an owner that is not there hears what to do', async (t) => {
  const { run } = await commandsThrough(t, 'store');
  const { code, stderr } = await run('ingestion-api-key', 'create', '-n', 'k', '--owner', 'nobody');
  assert.equal(code, 3);
  assert.match(stderr, /no service id or user with the name or id "nobody"\. Create it first/);
  const refused = await run('service-id', 'create', '-n', 'k', '--roles', 'Sendr');
  assert.deepEqual(
    [refused.code, refused.stderr],
    [3, '❌ An owner has no role "Sendr": it may have Sender, or none.\n'],
  );
});

test('what a key is limited to is changed, removed and described', async (t) => {
  const { run } = await commandsThrough(t, 'store');
  const made = await run(
    'ingestion-api-key',
    'create',
    '-n',
    'k',
    '--signals',
    'logs',
    '--limit-bytes',
    '1MiB',
    '-o',
    'json',
  );
  const id = String((JSON.parse(made.stdout) as Record<string, { id: number }>)['ingestion-api-key']?.id);
  const limits = ['--limit-requests', '10/50', '--cidr', '10.0.0.0/8', '--type', 'sensor', '--tenant', 'acme'];
  assert.equal((await run('ingestion-api-key', 'update', id, ...limits, '--signals', 'none')).code, 0);
  /** The lines between the state and the time when it was created. */
  const describe = async () => {
    const lines = (await run('ingestion-api-key', 'describe', id)).stdout.split('\n');
    return lines.slice(
      3,
      lines.findIndex((line) => line.startsWith('Created:')),
    );
  };
  assert.deepEqual(await describe(), [
    'Type:        sensor',
    'Networks:    10.0.0.0/8',
    'Tenant:      acme',
    'Requests:    10 per second, 50 at once',
    'Bytes:       1MiB per second',
  ]);
  const none = ['type', 'signals', 'cidr', 'origin', 'tenant', 'limit-requests', 'limit-bytes'];
  await run('ingestion-api-key', 'update', id, ...none.flatMap((flag) => [`--${flag}`, 'none']));
  assert.deepEqual(await describe(), []);
  const { code, stderr } = await run('ingestion-api-key', 'update', id, '--cidr', '10.1.0.0/8');
  assert.equal(code, 3);
  assert.match(stderr, /invalid argument "10\.1\.0\.0\/8" for "--cidr" flag/);

  const token = await run('service-token', 'create', '-n', 't', '--roles', 'viewer', '-o', 'json');
  const tokenId = String((JSON.parse(token.stdout) as Record<string, { id: number }>)['service-token']?.id);
  const updated = await run('service-token', 'update', tokenId, '--expiration', '2090-01-01');
  assert.deepEqual(updated, done(`✅ Service token updated: ${tokenId}\n`));
  assert.match((await run('service-token', 'describe', tokenId)).stdout, /Expiration: {2}2090-01-01/);
});
