import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { startAdmin } from '../support/admin-server.ts';
import type { TestAdmin } from '../support/admin-server.ts';
import { createCliHome } from '../support/run-cli.ts';
import type { CliHome, CliResult } from '../support/run-cli.ts';
import { createCertificate } from '../support/tls.ts';

interface Remote {
  readonly cli: CliHome;
  readonly admin: TestAdmin;
  /** Runs a command against the admin API, with a token of these roles. */
  as(role: string, how?: 'run' | 'spawn'): Promise<(...args: string[]) => Promise<CliResult>>;
}

async function remote(t: TestContext, tls?: { readonly key: string; readonly cert: string }): Promise<Remote> {
  const cli = createCliHome();
  const admin = await startAdmin({ path: cli.at('server.db'), tls });
  t.after(async () => {
    await admin.close();
    cli.remove();
  });
  return {
    cli,
    admin,
    async as(role, how = 'run') {
      const env = { KEYGATE_URL: admin.url, KEYGATE_SERVICE_TOKEN: await admin.tokenFor([role], `${role} ${how}`) };
      return (...args) => cli[how](args, env);
    },
  };
}

test('keys and tokens are managed through the admin API as they are in the store', async (t) => {
  const { admin, as } = await remote(t);
  const [run, spawn] = [await as('admin'), await as('admin', 'spawn')];
  assert.equal((await run('ingestion-api-key', 'list')).stdout, 'No ingestion api keys found.\n');

  const created = await spawn(
    'ingestion-api-key',
    'create',
    '-n',
    'ci',
    '--description',
    'd',
    '--expiration',
    '2040-12-31',
  );
  assert.equal(created.code, 0);
  assert.match(created.stdout, /^✅ Ingestion API Key generated: iapikeyok-\w{38}\n\n$/);
  const [record] = await admin.service.list('ingestion');
  const id = record?.id ?? '';
  assert.equal(
    (await run('ingestion-api-key', 'list')).stdout,
    `${'ID'.padEnd(id.length)} | NAME | EXPIRATION | DESCRIPTION\n${id} | ci   | 2040-12-31 | d          \n`,
  );
  assert.deepEqual(await run('ingestion-api-key', 'delete', id, '-o', 'json'), {
    code: 0,
    stdout: `{\n  "deleted-ingestion-api-key": ${id}\n}\n`,
    stderr: '',
  });

  const token = await run('service-token', 'create', '-n', 't', '--roles', 'viewer,validator', '-o', 'json');
  const { 'service-token': made } = JSON.parse(token.stdout) as { 'service-token': { token: string; id: number } };
  assert.match(made.token, /^svctok-\w{38}$/);
  assert.match((await run('service-token', 'list')).stdout, /\n[0-9]+ +\| t +\| +\| \[viewer, validator\]\n$/);
  assert.equal(
    (await run('service-token', 'delete', '--id', String(made.id))).stdout,
    `✅ Service token deleted: ${made.id}\n`,
  );
});

test('flags win over variables, and the token may be in a file', async (t) => {
  const { cli, admin } = await remote(t);
  writeFileSync(cli.at('token'), `${await admin.tokenFor(['viewer'])}\n`);
  const env = { KEYGATE_URL: 'http://127.0.0.1:1', KEYGATE_SERVICE_TOKEN_FILE: cli.at('token') };
  const { code, stderr } = await cli.run(['ingestion-api-key', 'list', '--url', `${admin.url}/api/`, '-v'], env);
  assert.deepEqual([code, stderr], [0, `keygate: using the admin API at ${admin.url}/api/\n`]);
});

test('a refusal shows the status and the answer as YAML, and in JSON mode the reason', async (t) => {
  const { as } = await remote(t);
  const run = await as('admin');
  assert.deepEqual(await run('ingestion-api-key', 'create', '-n', 'old', '--expiration', '2020-01-01'), {
    code: 3,
    stdout: '',
    stderr:
      '❌ 400 Bad Request\n_type: IngestionApiKeyInvalidExpiryError\n' +
      'message: The expiration must be a time in the future. Choose a later date.\n',
  });
  await run('ingestion-api-key', 'create', '-n', 'twin');
  const taken = await run('ingestion-api-key', 'create', '-n', 'twin', '-o', 'json');
  assert.equal(taken.code, 3);
  assert.deepEqual(JSON.parse(taken.stderr), {
    error: true,
    'error-message':
      '409 Conflict: There already is a live ingestion API key named "twin". Choose another name, or delete that one first.',
  });
});

test('an id that is not there is exit code 8, as it is in the store', async (t) => {
  const { as } = await remote(t);
  const run = await as('admin', 'spawn');
  const { code, stdout, stderr } = await run('ingestion-api-key', 'delete', '--id', '12');
  assert.deepEqual([code, stdout], [8, '']);
  assert.match(stderr, /^❌ 404 Not Found\n_type: ErrorsResponse\n/);
});

test('a token without the permission is told which one it lacks; a token that is not accepted is exit code 4', async (t) => {
  const { cli, admin, as } = await remote(t);
  const run = await as('viewer');
  const lacking = await run('ingestion-api-key', 'create', '-n', 'x');
  assert.equal(lacking.code, 3);
  assert.match(lacking.stderr, /^❌ 403 Forbidden\n[^]*This needs the permission create-ingestion-api-keys, /);
  const args = ['ingestion-api-key', 'list', '--url', admin.url, '--service-token', 'svctok-nonsense'];
  assert.deepEqual(await cli.run(args), {
    code: 4,
    stdout: '',
    stderr: `❌ could not connect to ${admin.url} (The key is mistyped or cut short: its checksum does not match. Copy it again.)\n`,
  });
});

test('a server that cannot be reached is exit code 4 and says why', async (t) => {
  const cli = createCliHome();
  t.after(() => cli.remove());
  const { code, stderr } = await cli.run([
    'ingestion-api-key',
    'list',
    '--url',
    'http://127.0.0.1:1',
    '--service-token',
    't',
  ]);
  assert.deepEqual(
    [code, stderr],
    [4, '❌ could not connect to http://127.0.0.1:1 (connection refused: nothing listens there)\n'],
  );
});

async function fakeServer(t: TestContext, listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('what is no admin API is recognised, whatever it answers', async (t) => {
  const cli = createCliHome();
  t.after(() => cli.remove());
  const answers: Record<string, [number, string, string]> = {
    '/html': [200, 'text/html', '<html>'],
    '/json': [200, 'application/json', '{"hello": "world"}'],
    '/text': [500, 'text/plain', 'out of \u{1b}[31morder'],
    '/page': [404, 'text/html', '<html>'],
  };
  const url = await fakeServer(t, (request, response) => {
    const [status, type, body] = answers[`/${request.url?.split('/')[1]}`] ?? [500, '', ''];
    response.writeHead(status, { 'content-type': type }).end(body);
  });
  const list = async (path: string): Promise<[number | null, string]> => {
    const { code, stderr } = await cli.run(['service-token', 'list', '--url', url + path, '--service-token', 't']);
    return [code, stderr.replace(url, 'URL')];
  };
  const notOurs = 'what answers there is not the admin API of Keygate: is the port that of admin.address?';
  assert.deepEqual(await list('/html'), [4, `❌ could not connect to URL/html (${notOurs})\n`]);
  assert.deepEqual(await list('/json'), [4, `❌ could not connect to URL/json (${notOurs})\n`]);
  assert.deepEqual(await list('/text'), [3, '❌ 500 Internal Server Error\nout of �[31morder\n']);
  assert.deepEqual(await list('/page'), [3, '❌ 404 Not Found\nWhat answers there is not the admin API of Keygate.\n']);
});

test('over TLS an unknown certificate is refused, unless its authority is named or anyone is to be trusted', async (t) => {
  const certificate = await createCertificate(t);
  const { cli, admin } = await remote(t, certificate);
  const token = await admin.tokenFor(['viewer']);
  const list = (...args: string[]) =>
    cli.run(['ingestion-api-key', 'list', '--url', admin.url, ...args], { KEYGATE_SERVICE_TOKEN: token });
  assert.deepEqual(await list(), {
    code: 4,
    stdout: '',
    stderr: `❌ could not connect to ${admin.url} (its certificate is not trusted: name its authority with --ca-cert-path, or use --skip-ssl to trust anyone)\n`,
  });
  assert.equal((await list('--ca-cert-path', certificate.certPath)).code, 0);
  assert.equal((await list('--skip-ssl')).code, 0);
  const missing = await list('--ca-cert-path', '/nowhere/ca.pem');
  assert.equal(missing.code, 5);
  const plain = await cli.run(['ingestion-api-key', 'list', '--url', admin.url.replace('https', 'http')], {
    KEYGATE_SERVICE_TOKEN: token,
  });
  assert.equal(plain.code, 4);
});

test('https to a port that speaks plain HTTP says what to try', async (t) => {
  const { cli, admin } = await remote(t);
  const url = admin.url.replace('http', 'https');
  const { code, stderr } = await cli.run(['ingestion-api-key', 'list', '--url', url, '--service-token', 't']);
  assert.deepEqual(
    [code, stderr],
    [4, `❌ could not connect to ${url} (it does not speak TLS: try http:// instead of https://)\n`],
  );
});
