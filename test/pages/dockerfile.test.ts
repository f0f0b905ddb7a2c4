import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readDockerfile } from '../support/dockerfile.ts';
import type { Instruction } from '../support/dockerfile.ts';
import { findPort } from '../support/ports.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const stages = readDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'));
const image = stages.at(-1) ?? [];

function valuesOf(name: string, instructions: readonly Instruction[] = image): string[] {
  return instructions.filter((instruction) => instruction.name === name).map(({ value }) => value);
}

/** An instruction in exec form is a JSON array; in shell form this throws. */
function execForm(text: string | undefined): string[] {
  const words: unknown = JSON.parse(text ?? 'null');
  assert.ok(Array.isArray(words) && words.every((word) => typeof word === 'string'), `not in exec form: ${text}`);
  return words;
}

const entrypoint = execForm(valuesOf('ENTRYPOINT').at(-1));
const command = execForm(valuesOf('CMD').at(-1));
const healthcheck = execForm(
  valuesOf('HEALTHCHECK')
    .at(-1)
    ?.match(/CMD (.*)$/)?.[1],
);
const copied = valuesOf('COPY')
  .filter((value) => !value.startsWith('--from='))
  .flatMap((value) => value.split(' ').slice(0, -1));

test('every stage is the runtime that the tests run on', () => {
  const major = process.versions.node.split('.')[0];
  const bases = stages.flatMap((stage) => valuesOf('FROM', stage)).map((value) => value.split(' ')[0]);
  assert.deepEqual([...new Set(bases)], [`node:${major}-slim`]);
});

test('the image holds production dependencies only, exactly as locked', () => {
  const runs = stages.flatMap((stage) => valuesOf('RUN', stage)).filter((run) => run.includes('npm'));
  assert.deepEqual(runs, ['npm ci', 'npm run build', 'npm ci --omit=dev']);
  assert.deepEqual(
    valuesOf('COPY').filter((value) => value.startsWith('--from=')),
    ['--from=dependencies /app/node_modules ./node_modules', '--from=build /app/dist ./dist'],
  );
});

test('the image runs as a numeric user that is not root', () => {
  assert.match(valuesOf('USER').at(-1) ?? '', /^[1-9][0-9]*:[1-9][0-9]*$/);
});

test('what Keygate writes is on a volume, so the root filesystem can be read-only', () => {
  const env = Object.fromEntries(
    valuesOf('ENV').flatMap((value) => value.split(/\s+/).map((pair) => pair.split('=') as [string, string])),
  );
  assert.deepEqual(valuesOf('VOLUME'), ['/data']);
  assert.equal(env['KEYGATE_STORE_SQLITE_PATH'], '/data/keygate.db');
  assert.equal(env['PATH'], '/app/bin:$PATH');
});

test('it stops by SIGTERM, asks after its own health without a shell, and says its ports', () => {
  assert.deepEqual(valuesOf('STOPSIGNAL'), ['SIGTERM']);
  assert.deepEqual(valuesOf('EXPOSE'), ['4317 4318 9464']);
  assert.deepEqual(
    { entrypoint, command, healthcheck },
    {
      entrypoint: ['keygate'],
      command: ['serve'],
      healthcheck: ['keygate', 'health'],
    },
  );
});

test('the build context is what the image is built from and nothing else', () => {
  const ignore = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => /^[^#]/.test(line));
  const named = stages.flatMap((stage) => valuesOf('COPY', stage)).filter((value) => !value.startsWith('--from='));
  const needed = new Set(named.flatMap((value) => value.split(' ').slice(0, -1)));
  assert.deepEqual(ignore.sort(), ['*', ...[...needed].map((path) => `!${path}`)].sort());
  assert.deepEqual(
    [...needed].filter((path) => !existsSync(join(root, path))),
    [],
  );
});

/** A folder with what the image has in /app: the copied files, what is built from the sources, and the packages beside them. */
function createAppFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'keygate-image-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const path of copied) cpSync(join(root, path), join(folder, 'app', path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'app/node_modules'));
  // Built as the image is: from what its first stage is given, by the command that it runs.
  const given = valuesOf('COPY', stages[0]).flatMap((value) => value.split(' ').slice(0, -1));
  for (const path of given) cpSync(join(root, path), join(folder, 'build', path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'build/node_modules'));
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: join(folder, 'build') });
  cpSync(join(folder, 'build/dist'), join(folder, 'app/dist'), { recursive: true });
  return folder;
}

test(
  'what is copied and built starts, is healthy, stops by SIGTERM, and writes nowhere but to the volume',
  { timeout: 60_000 },
  async (t) => {
    const folder = createAppFolder(t);
    const app = join(folder, 'app');
    const admin = `127.0.0.1:${await findPort()}`;
    const env = {
      PATH: `${join(app, 'bin')}:${process.env['PATH']}`,
      KEYGATE_OPS_ADDRESS: `127.0.0.1:${await findPort()}`,
      KEYGATE_LISTEN_GRPC_ADDRESS: '127.0.0.1:0',
      KEYGATE_LISTEN_HTTP_ADDRESS: '127.0.0.1:0',
      KEYGATE_ADMIN_ADDRESS: admin,
      KEYGATE_LIMITS_DRAIN_DELAY: '0s',
      KEYGATE_UPSTREAM_GRPC: 'http://127.0.0.1:9',
      KEYGATE_STORE_SQLITE_PATH: join(folder, 'data/keygate.db'),
    };
    const run = ([file = '', ...args]: string[]) =>
      spawn(file, args, { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const before = globSync('**', { cwd: app, exclude: ['node_modules'] });

    const gateway = run([...entrypoint, ...command]);
    t.after(() => gateway.kill('SIGKILL'));
    let output = '';
    gateway.stdout.on('data', (chunk) => (output += chunk));
    gateway.stderr.on('data', (chunk) => (output += chunk));
    const exit = once(gateway, 'exit');

    const ask = async (): Promise<unknown> => (await once(run(healthcheck), 'exit'))[0];
    let health = await ask();
    while (health !== 0 && gateway.exitCode === null) health = await ask();
    assert.equal(health, 0, output);

    const statuses = await Promise.all(
      ['', 'main.js', 'base.css', 'icon.svg'].map(
        async (page) => (await fetch(`http://${admin}/console/${page}`)).status,
      ),
    );
    assert.deepEqual(statuses, [200, 200, 200, 200], 'the console is not part of the image');

    gateway.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null], output);
    assert.equal(await ask(), 1, 'healthy though it has stopped');
    assert.deepEqual(globSync('**', { cwd: app, exclude: ['node_modules'] }), before);
  },
);
