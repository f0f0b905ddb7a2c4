import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../../src/cli/run.ts';
import type { Output } from '../../../src/cli/terminal.ts';
import { VERSION } from '../../../src/version.ts';

interface Told {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function tell(argv: readonly string[], env: Readonly<Record<string, string>> = {}, isTTY = false): Promise<Told> {
  const said = { stdout: '', stderr: '' };
  const output = (name: keyof typeof said): Output => ({ write: (text) => (said[name] += text), isTTY, columns: 80 });
  const code = await run(argv, { stdout: output('stdout'), stderr: output('stderr'), env });
  return { code, ...said };
}

const GLOBAL_FLAGS = `Global Flags:
      --ca-cert-path string    PEM file of the authorities that may sign the certificate of the admin API
      --config string          Path to the configuration file (KEYGATE_CONFIG)
  -c, --context string         Name of the context to use, or none (KEYGATE_CONTEXT); see keygate context
      --no-color               Disable color when printing to the terminal
  -o, --output string          Specify the output format (must be { json | text })
      --service-token string   Specify the service token for the admin API (KEYGATE_SERVICE_TOKEN, KEYGATE_SERVICE_TOKEN_FILE)
      --skip-ssl               Trust any certificate of the admin API
      --url string             Specify the URL of the admin API (KEYGATE_URL); without it and a context the key store is used directly
  -v, --verbose                Say what is being used to standard error
`;

const GROUP_HELP = `Manage API Keys used by ingestion pipelines, means data (spans, metrics, logs an so on) send by STS Agent, OTel and so on.

Usage:
  keygate ingestion-api-key [command]

Available Commands:
  create      Create a new Ingestion Api Key
  delete      Delete an Ingestion Api Key
  describe    Show all about an Ingestion Api Key
  disable     Disable an Ingestion Api Key
  enable      Enable an Ingestion Api Key
  list        List Ingestion Api Keys
  reveal      Show an Ingestion Api Key again
  rotate      Replace an Ingestion Api Key by a new one with the same settings
  update      Change an Ingestion Api Key

Flags:
  -h, --help   help for ingestion-api-key

${GLOBAL_FLAGS}
Use "keygate ingestion-api-key [command] --help" for more information about a command.
`;

const DELETE_USAGE = `Usage:
  keygate ingestion-api-key delete --id ID [flags]

Examples:
  # delete a key by the id that the list shows
  keygate ingestion-api-key delete --id 250558013078953

  # the same, shorter
  keygate ingestion-api-key delete 250558013078953

  # it leaked: delete it, whoever uses it, and know when every gateway refuses it
  keygate ingestion-api-key delete 250558013078953 --force --wait

Flags:
      --force    Delete it even if it was used within the last hour
  -h, --help     help for delete
  -i, --id int   ID of the Ingestion Api Key to delete
      --wait     Return when every live gateway has applied it, and say how fast; --wait=30s: in 30 s at most (default 10s)

${GLOBAL_FLAGS}
`;

test('a group without a verb prints its help and is no error', async () => {
  assert.deepEqual(await tell(['ingestion-api-key']), { code: 0, stdout: GROUP_HELP, stderr: '' });
  assert.deepEqual(await tell(['ingestion-api-key', '--help']), { code: 0, stdout: GROUP_HELP, stderr: '' });
  assert.deepEqual(await tell(['help', 'ingestion-api-key']), { code: 0, stdout: GROUP_HELP, stderr: '' });
});

test('every command has help that names it, with exit code 0', async () => {
  const commands = ['', 'serve', 'check-config', 'health', 'version', 'service-token', 'service-token create'];
  for (const command of commands) {
    const { code, stdout, stderr } = await tell([...command.split(' ').filter(Boolean), '-h']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(stdout.includes(`Usage:\n  ${`keygate ${command}`.trim()} `), stdout);
  }
});

test('the usage of create names the flags that it needs', async () => {
  const key = await tell(['ingestion-api-key', 'create', '--help']);
  assert.match(key.stdout, /\nUsage:\n {2}keygate ingestion-api-key create --name NAME \[flags\]\n/);
  const token = await tell(['service-token', 'create', '--help']);
  assert.match(token.stdout, /\nUsage:\n {2}keygate service-token create --name NAME --roles ROLES \[flags\]\n/);
});

test('the version is that of the package', async () => {
  assert.deepEqual(await tell(['--version']), { code: 0, stdout: `${VERSION}\n`, stderr: '' });
  assert.deepEqual(await tell(['version']), { code: 0, stdout: `${VERSION}\n`, stderr: '' });
  const { stdout } = await tell(['version', '-o', 'json']);
  assert.deepEqual(JSON.parse(stdout), { version: VERSION });
});

test('missing flags are all named, with the usage on standard output', async () => {
  const { code, stdout, stderr } = await tell(['service-token', 'create']);
  assert.deepEqual([code, stderr], [3, '❌ required flag(s) "name", "roles" not set\n']);
  assert.match(stdout, /^Usage:\n {2}keygate service-token create /);
  assert.deepEqual(await tell(['ingestion-api-key', 'delete']), {
    code: 3,
    stdout: DELETE_USAGE,
    stderr: '❌ required flag(s) "id" not set\n',
  });
});

test('missing flags are told as JSON to whoever wants JSON', async () => {
  assert.deepEqual(await tell(['ingestion-api-key', 'create', '-o', 'json']), {
    code: 3,
    stdout: '',
    stderr: '{\n  "error": true,\n  "error-message": "required flag(s) \\"name\\" not set"\n}\n',
  });
});

test('a faulty value of a flag is told in text, even with -o json, and with the usage', async () => {
  assert.deepEqual(await tell(['ingestion-api-key', 'delete', '--id', 'foo', '-o', 'json']), {
    code: 3,
    stdout: DELETE_USAGE,
    stderr: '❌ invalid argument "foo" for "-i, --id" flag: it must be the number that the list shows\n',
  });
  const date = await tell(['ingestion-api-key', 'create', '-n', 'x', '--expiration', '2030-02-30']);
  assert.equal(date.code, 3);
  assert.equal(
    date.stderr,
    '❌ invalid argument "2030-02-30" for "--expiration" flag: invalid time format `2030-02-30` must be one of: `2006-01-02` (it must be a day that the calendar has)\n',
  );
  const output = await tell(['ingestion-api-key', 'list', '-o', 'xml']);
  assert.equal(output.stderr, '❌ invalid argument "xml" for "-o, --output" flag: must be { json | text }\n');
  assert.equal(output.code, 3);
});

test('one id is wanted, and it may be said twice', async () => {
  const two = await tell(['ingestion-api-key', 'delete', '--id', '1', '2']);
  assert.deepEqual([two.code, two.stderr], [3, '❌ one id is wanted, not 1 and 2\n']);
});

test('unknown commands and flags are refused with the usage of the command that they were given to', async () => {
  const cases = [
    [['frobnicate'], /^❌ unknown command 'frobnicate'\n$/, /^Usage:\n {2}keygate \[command\]\n/],
    [
      ['ingestion-api-key', 'lst'],
      /^❌ unknown command 'lst'\n.*list/,
      /^Usage:\n {2}keygate ingestion-api-key \[command\]\n/,
    ],
    [
      ['ingestion-api-key', 'list', '--nam'],
      /^❌ unknown option '--nam'\n/,
      /^Usage:\n {2}keygate ingestion-api-key list /,
    ],
    [['ingestion-api-key', 'list', 'x'], /^❌ too many arguments/, /^Usage:\n {2}keygate ingestion-api-key list /],
    [
      ['ingestion-api-key', 'create', '--name'],
      /argument missing\n$/,
      /^Usage:\n {2}keygate ingestion-api-key create /,
    ],
  ] as const;
  for (const [argv, error, usage] of cases) {
    const { code, stdout, stderr } = await tell(argv);
    assert.equal(code, 3);
    assert.match(stderr, error);
    assert.match(stdout, usage);
  }
});

test('without colour, words take the place of symbols', async () => {
  const words = '[ERROR] required flag(s) "id" not set\n';
  const argv = ['ingestion-api-key', 'delete'];
  assert.equal((await tell(argv, { NO_COLOR: '' }, true)).stderr, words);
  assert.equal((await tell(argv, { TERM: 'dumb' }, true)).stderr, words);
  assert.equal((await tell([...argv, '--no-color'], {}, true)).stderr, words);
  assert.equal((await tell(argv, { TERM: 'xterm' }, true)).stderr, '❌ required flag(s) "id" not set\n');
});

test('a URL without a token, and a token without a URL, are refused', async () => {
  const list = ['ingestion-api-key', 'list'];
  const noToken =
    '❌ a URL is set but no service token: give --service-token, KEYGATE_SERVICE_TOKEN or KEYGATE_SERVICE_TOKEN_FILE as well\n';
  const noUrl =
    '❌ a service token is set but no URL: give --url or KEYGATE_URL as well, or unset the token to use the key store of this machine\n';
  assert.deepEqual(await tell([...list, '--url', 'http://127.0.0.1:1']), { code: 3, stdout: '', stderr: noToken });
  assert.deepEqual(await tell(list, { KEYGATE_URL: 'http://127.0.0.1:1' }), { code: 3, stdout: '', stderr: noToken });
  assert.deepEqual(await tell(list, { KEYGATE_SERVICE_TOKEN: 't' }), { code: 3, stdout: '', stderr: noUrl });
});

test('a URL or a token that cannot be one is refused before anything is sent', async () => {
  const list = ['ingestion-api-key', 'list'];
  const badUrl = await tell([...list, '--url', 'localhost:7070', '--service-token', 't']);
  assert.deepEqual(
    [badUrl.code, badUrl.stderr],
    [3, '❌ the URL "localhost:7070" must be http://host:port or https://host:port\n'],
  );
  const badToken = await tell([...list, '--url', 'http://127.0.0.1:1', '--service-token', 'a b']);
  assert.equal(badToken.stderr, '❌ the service token is empty, or has spaces or line breaks in it: copy it again\n');
});

test('a token file that cannot be read is exit code 5', async () => {
  const { code, stderr } = await tell(['service-token', 'list', '--url', 'http://127.0.0.1:1'], {
    KEYGATE_SERVICE_TOKEN_FILE: '/nowhere/token',
  });
  assert.equal(code, 5);
  assert.match(stderr, /^❌ cannot read file \/nowhere\/token \(ENOENT/);
});
