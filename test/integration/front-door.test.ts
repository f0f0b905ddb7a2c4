import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeStatus } from '../support/rpc-status.ts';
import { until } from '../support/wait.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Printed {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Reads a line as the welcome prints it, so that no test depends on a curl that may not be there. */
function readCurl(line: string): Printed {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
  const headers: Record<string, string> = {};
  let body = '';
  let url = '';
  for (const [i, word] of words.entries()) {
    const next = words[i + 1] ?? '';
    if (word === '-H') headers[next.slice(0, next.indexOf(':'))] = next.slice(next.indexOf(':') + 1).trim();
    if (word === '-d') body = next;
    if (word.startsWith('http://')) url = word;
  }
  return { url, headers, body };
}

async function run({ url, headers, body }: Printed): Promise<readonly [status: number, type: string, reason: unknown]> {
  const response = await fetch(url, { method: 'POST', headers, body });
  const type = response.headers.get('content-type') ?? '';
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status === 200) return [200, type, 'accepted'];
  const { details } = type.endsWith('json') ? JSON.parse(bytes.toString()) : decodeStatus(bytes);
  return [response.status, type, details[0].reason];
}

test('npm start serves, and each line that it prints does what it is said to do', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const directory = await mkdtemp(join(tmpdir(), 'keygate-front-door-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const free = '127.0.0.1:0';
  // As npm does: the signal that npm passes on goes to the shell, and has to arrive at the gateway.
  const child = spawn('sh', ['-c', scripts.start], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      KEYGATE_STORE_SQLITE_PATH: join(directory, 'keygate.db'),
      KEYGATE_LISTEN_GRPC_ADDRESS: free,
      KEYGATE_LISTEN_HTTP_ADDRESS: free,
      KEYGATE_ADMIN_ADDRESS: free,
      KEYGATE_OPS_ADDRESS: free,
    },
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until('the welcome is printed', () => output.includes('ingestion-api-key create'), 20_000);

  const lines = output.split('\n').filter((line) => line.trimStart().startsWith('curl '));
  // The key that is printed as an expired one dies within a second of its making.
  await until(
    'the short-lived key has died',
    async () => (await run(readCurl(lines.at(-1) ?? '')))[2] === 'expired_key',
    5_000,
  );
  assert.deepEqual(await Promise.all(lines.map((line) => run(readCurl(line)))), [
    [200, 'application/json', 'accepted'],
    [403, 'application/x-protobuf', 'missing_credential'],
    [403, 'application/x-protobuf', 'unknown_key'],
    [403, 'application/x-protobuf', 'bad_checksum'],
    [403, 'application/x-protobuf', 'expired_key'],
    [403, 'application/json', 'expired_key'],
  ]);
  await until('the built-in collector counted the span', () => output.includes('took 1 traces'), 5_000);

  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
