import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { commandsThrough } from '../support/commands.ts';

for (const through of ['store', 'admin API'] as const) {
  describe(`keygate iam through the ${through}`, () => {
    test('follows the guide of IBM Cloud Logs from a service ID to its key', async (t) => {
      const { run } = await commandsThrough(t, through);
      const made = await run('iam', 'service-id-create', 'logs-svc-id', '--description', 'Service ID for logs');
      const [, id = ''] =
        /^✅ Service ID logs-svc-id is created successfully\nID: {10}([0-9]+)\n/.exec(made.stdout) ?? [];
      assert.notEqual(id, '', made.stdout + made.stderr);
      assert.match(
        (await run('service-id', 'describe', id)).stdout,
        /\nRoles: {7}none\nDescription: Service ID for logs\n/,
      );
      assert.deepEqual(
        await run('iam', 'service-policy-create', 'logs-svc-id', '--service-name', 'logs', '--roles', 'Sender'),
        { code: 0, stdout: `✅ service ID logs-svc-id (${id}) has the role Sender\n`, stderr: '' },
      );
      assert.match((await run('service-id', 'describe', id)).stdout, /\nRoles: {7}Sender\n/);

      const flags = ['--description', 'API key for logs', '--output', 'json'];
      const created = await run('iam', 'service-api-key-create', 'logs-ingestion-key', id, ...flags);
      const { apikey, created_at: at, ...shown } = JSON.parse(created.stdout) as Record<string, string>;
      assert.match(apikey ?? '', /^iapikeyok-/);
      assert.ok(!Number.isNaN(Date.parse(at ?? '')));
      const { id: keyId } = shown;
      const what = { name: 'logs-ingestion-key', description: 'API key for logs', iam_id: id, locked: false };
      assert.deepEqual(shown, { id: keyId, ...what });
      const described = await run('ingestion-api-key', 'describe', String(keyId));
      assert.match(described.stdout, new RegExp(`\nOwner: {7}service id logs-svc-id \\(${id}\\)\n`));
    });

    test('makes keys of users, shown once or written to a file as JSON', async (t) => {
      const { run, at } = await commandsThrough(t, through);
      await run('user', 'create', '--name', 'alice', '--roles', 'none');
      assert.equal((await run('iam', 'user-policy-create', 'alice', '--service-name', 'logs', '-r', 'Sender')).code, 0);
      const shown = await run('iam', 'api-key-create', 'logs-ingestion', '--user', 'alice');
      assert.match(shown.stdout, /\nPlease preserve the API key!.*\n.*\nAPI Key: {5}iapikeyok-[0-9A-Za-z]{38}\n/s);
      const file = at('key.json');
      const written = await run('iam', 'api-key-create', 'other', '--user', 'alice', '--file', file);
      assert.deepEqual(written, {
        code: 0,
        stdout: `✅ Successfully save API key information to ${file}\n`,
        stderr: '',
      });
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const { apikey, name } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
      assert.match(apikey ?? '', /^iapikeyok-/);
      assert.equal(name, 'other');
      const json = await run('iam', 'api-key-create', 'third', '--user', 'alice', '--file', at('third'), '-o', 'json');
      assert.deepEqual(
        Object.keys(JSON.parse(json.stdout) as object).filter((field) => /key|file/.test(field)),
        ['file'],
      );
    });

    test('says what is wrong, and makes no key then', async (t) => {
      const { run, at } = await commandsThrough(t, through);
      await run('iam', 'service-id-create', 'svc');
      const fault = async (...args: string[]) => {
        const { code, stderr } = await run('iam', ...args);
        return `${code} ${stderr}`;
      };
      const key = ['service-api-key-create', 'k'];
      assert.match(await fault('service-id-create'), /^3 .*required flag\(s\) "name" not set/);
      assert.match(await fault(...key), /^3 .*required flag\(s\) "service_id" not set/);
      assert.match(await fault('api-key-create', 'k'), /^3 .*required flag\(s\) "user" not set/);
      assert.match(await fault(...key, 'nobody'), /^8 .*there is no service ID named "nobody"/);
      assert.match(await fault(...key, '4711'), /^8 /);
      const policy = ['service-policy-create', 'svc', '--service-name'];
      assert.match(await fault(...policy, 'logs', '--roles', 'Writer'), /^3 .*--service-name logs --roles Sender/);
      assert.match(await fault(...policy, 'metrics', '--roles', 'Sender'), /^3 .*--service-name logs --roles Sender/);
      assert.match(await fault('service-policy-create', 'svc'), /^3 .*--service-name logs --roles Sender/);
      assert.match(await fault('service-policy-create'), /^3 .*required flag\(s\) "service_id" not set/);
      writeFileSync(at('there'), '');
      assert.match(await fault(...key, 'svc', '--file', at('there')), /^6 .*never overwritten/);
      assert.equal((await run('ingestion-api-key', 'list')).stdout, 'No ingestion api keys found.\n');
    });
  });
}
