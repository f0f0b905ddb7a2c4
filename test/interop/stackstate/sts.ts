import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installedProgram, MissingTool } from '../../conformance/toolchain.ts';
import { until } from '../../support/wait.ts';
import { seen } from '../neighbour.ts';
import type { Cell, Row } from '../neighbour.ts';
import { startPlace } from './place.ts';
import type { Place } from './place.ts';

/** StackState's command line, pointed at Keygate's admin API with a service token. */

const MODULE = 'github.com/stackvista/stackstate-cli';
/** The last commit that has `ingestion-api-key`. Its tags v3.0.x are none that Go knows, for its module has no /v3. */
const STS_COMMIT = '30cd9fa4032a836efd63504898834a58b597dfeb';
const TIMEOUT_MS = 30_000;

export const STS_COLUMNS = ['as text', 'with -o json'] as const;
type Output = 'text' | 'json';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Session {
  readonly place: Place;
  readonly token: string;
  sts(...args: string[]): Promise<Outcome>;
}

/** What a command is to do, in both forms of its output. */
type Look = (session: Session, output: Output) => Promise<string>;

/** Names the program of somebody who has it, such as an installation of 3.0.x. */
const OWN_STS = 'INTEROP_STS';

interface Sts {
  readonly path: string;
  /** What it is called in the results, so that a reader can tell which one was run. */
  readonly version: string;
}

export function findSts(cache: string, say: (line: string) => void): Sts {
  const own = process.env[OWN_STS];
  if (own === undefined) return { path: buildSts(cache, say), version: STS_COMMIT.slice(0, 12) };
  if (!existsSync(own)) throw new Error(`${OWN_STS} names a file that is not there: ${own}`);
  const sum = createHash('sha256').update(readFileSync(own)).digest('hex');
  return { path: own, version: `a program that ${OWN_STS} named, SHA-256 ${sum}` };
}

/** The path of the program, built once. */
function buildSts(cache: string, say: (line: string) => void): string {
  const built = join(cache, `sts-${STS_COMMIT.slice(0, 12)}`);
  if (existsSync(built)) return built;
  const go = installedProgram('go', `Go, to build ${MODULE}`);
  say('building sts ...');
  const work = mkdtempSync(join(cache, 'build-'));
  try {
    writeFileSync(join(work, 'go.mod'), 'module build\n');
    const download = spawnSync(go, ['mod', 'download', '-json', `${MODULE}@${STS_COMMIT}`], {
      cwd: work,
      encoding: 'utf8',
    });
    const { Dir: sources, Error: refusal } = JSON.parse(download.stdout || '{}') as { Dir?: string; Error?: string };
    if (sources === undefined) {
      const why = lastLine(refusal ?? download.stderr);
      throw new MissingTool(
        `the Go module proxy has no ${MODULE}: ${why} Whoever has the program names it in ${OWN_STS}`,
      );
    }
    // In its own folder, so that what its go.mod replaces is replaced.
    const { status, stderr } = spawnSync(go, ['build', '-trimpath', '-o', join(work, 'sts'), '.'], {
      cwd: sources,
      encoding: 'utf8',
    });
    if (status !== 0) throw new MissingTool(`${MODULE} could not be built: ${lastLine(stderr)}`);
    renameSync(join(work, 'sts'), built);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return built;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}

const LOOKS: Readonly<Record<string, Look>> = {
  async 'ingestion-api-key create, list, delete'({ place, sts }, output) {
    const made = await sts(
      'ingestion-api-key',
      'create',
      '--name',
      'shop',
      '--description',
      'd',
      '--expiration',
      '2040-12-31',
    );
    assert.equal(made.code, 0, made.stderr);
    const key =
      output === 'json'
        ? json<{ 'ingestion-api-key': { apiKey: string } }>(made)['ingestion-api-key'].apiKey
        : (/Ingestion API Key generated: (iapikeyok-\w+)/.exec(made.stdout)?.[1] ?? '');
    assert.equal(await send(place, key), 200);
    // One that nobody uses, for what is in use is another situation.
    assert.equal((await sts('ingestion-api-key', 'create', '--name', 'spare')).code, 0);
    const id = await idOf(sts, output, 'ingestion-api-keys', 'spare');
    const deleted = await sts('ingestion-api-key', 'delete', '--id', id);
    assert.equal(deleted.code, 0, deleted.stderr);
    assert.match(
      deleted.stdout,
      output === 'json' ? /"deleted-ingestion-api-key": [0-9]+/ : /Ingestion Api Key deleted: [0-9]+/,
    );
    assert.doesNotMatch((await sts('ingestion-api-key', 'list')).stdout, /spare/);
    return 'the key that it shows sends; it lists keys, and no longer the one that it has deleted';
  },
  async 'service-token create, list, delete'({ place, sts }, output) {
    const made = await sts('service-token', 'create', '--name', 'ci', '--roles', 'key-manager');
    assert.equal(made.code, 0, made.stderr);
    const token =
      output === 'json'
        ? json<{ 'service-token': { token: string } }>(made)['service-token'].token
        : (/Service token created: (svctok-\w+)/.exec(made.stdout)?.[1] ?? '');
    assert.equal(await ask(place, token), 200);
    const id = await idOf(sts, output, 'service-tokens', 'ci');
    const deleted = await sts('service-token', 'delete', '--id', id);
    assert.equal(deleted.code, 0, deleted.stderr);
    assert.equal(await ask(place, token), 401);
    return 'the token that it shows opens the admin API; once it has deleted it, it is refused';
  },
  async 'a name that is taken'({ sts }, output) {
    await sts('ingestion-api-key', 'create', '--name', 'shop');
    const again = await sts('ingestion-api-key', 'create', '--name', 'shop');
    assert.equal(again.code, 3);
    assert.match(again.stderr, /409/);
    if (output === 'text') assert.match(again.stderr, /There already is a live ingestion API key/);
    return 'exit code 3, and it shows the 409 with its reason';
  },
  async 'an expiration in the past'({ sts }) {
    const refused = await sts('ingestion-api-key', 'create', '--name', 'late', '--expiration', '2020-01-01');
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /400/);
    return 'exit code 3, and it shows the 400';
  },
  async 'an id that is not there'({ sts }) {
    const refused = await sts('ingestion-api-key', 'delete', '--id', '1');
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /404/);
    return 'exit code 3, and it shows the 404';
  },
  async 'a key that was used a moment ago'({ place, token, sts }, output) {
    const key = await place.createKey('busy');
    assert.equal(await send(place, key), 200);
    await until('it is known that the key was used', () => isKnownAsUsed(place, token), TIMEOUT_MS);
    const id = await idOf(sts, output, 'ingestion-api-keys', 'busy');
    const deleted = await sts('ingestion-api-key', 'delete', '--id', id);
    assert.equal(deleted.code, 0, deleted.stderr);
    assert.equal(await send(place, key), 403);
    return 'it is deleted all the same, and refused from then on';
  },
};

export async function stsRows(sts: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [name, look] of Object.entries(LOOKS)) {
    const cells: Record<string, Cell> = {};
    for (const column of STS_COLUMNS) cells[column] = await cellOf(sts, look, column === 'as text' ? 'text' : 'json');
    rows.push({ name, cells });
  }
  rows.push({
    name: 'a token that is not accepted',
    cells: { 'as text': await seen(async (scope) => refusedToken(sts, await startPlace(scope))) },
  });
  return rows;
}

export const STS_ROWS = [...Object.keys(LOOKS), 'a token that is not accepted'];

async function cellOf(program: string, look: Look, output: Output): Promise<Cell> {
  return seen(async (scope) => {
    const place = await startPlace(scope);
    const token = await place.createToken('admin');
    return look({ place, token, sts: (...args) => runSts(program, place, token, [...args, '-o', output]) }, output);
  });
}

async function refusedToken(program: string, place: Place): Promise<string> {
  const { code, stderr } = await runSts(program, place, 'svctok-wrong', ['ingestion-api-key', 'list']);
  assert.equal(code, 4);
  assert.match(stderr, /could not connect to http/);
  return 'exit code 4: could not connect';
}

async function runSts(program: string, { adminUrl }: Place, token: string, args: readonly string[]): Promise<Outcome> {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', STS_CLI_URL: adminUrl, STS_CLI_SERVICE_TOKEN: token };
  return promisify(execFile)(program, args, { env, timeout: TIMEOUT_MS }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Outcome) => ({ code, stdout, stderr }),
  );
}

function json<T>({ stdout }: Outcome): T {
  return JSON.parse(stdout) as T;
}

/** As the list shows it. */
async function idOf(sts: Session['sts'], output: Output, plural: string, name: string): Promise<string> {
  const group = plural.slice(0, -1);
  const listed = await sts(group, 'list');
  assert.equal(listed.code, 0, listed.stderr);
  if (output === 'json') {
    const found = json<Record<string, { id: number; name: string }[]>>(listed)[plural]?.find(
      (each) => each.name === name,
    );
    return String(found?.id);
  }
  return new RegExp(`^([0-9]+) +\\| ${name} `, 'm').exec(listed.stdout)?.[1] ?? '';
}

async function send({ url }: Place, key: string): Promise<number> {
  const headers = { 'sts-api-key': key, 'content-type': 'application/json' };
  return (await fetch(`${url}/v1/traces`, { method: 'POST', headers, body: '{"resourceSpans":[]}' })).status;
}

async function isKnownAsUsed({ adminUrl }: Place, token: string): Promise<boolean> {
  const list = await fetch(`${adminUrl}/api/security/ingestion/api_keys?details=true`, {
    headers: { 'x-api-key': token },
  });
  return ((await list.json()) as { lastUsed?: number }[]).some(({ lastUsed }) => lastUsed !== undefined);
}

async function ask({ adminUrl }: Place, token: string): Promise<number> {
  return (await fetch(`${adminUrl}/api/server/info`, { headers: { 'x-api-key': token } })).status;
}
