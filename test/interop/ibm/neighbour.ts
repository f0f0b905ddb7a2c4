import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { debianProgram, goProgram, MissingTool } from '../../conformance/toolchain.ts';
import { startCollector } from '../../support/collector.ts';
import type { Collector } from '../../support/collector.ts';
import { startKeygateProcess } from '../../support/keygate-process.ts';
import type { KeygateProcess } from '../../support/keygate-process.ts';
import { startRedis } from '../../support/redis.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/wait.ts';
import { rowsWithout, seen } from '../neighbour.ts';
import type { Cell, Neighbour, Row, Site } from '../neighbour.ts';
import { pythonWith } from '../python.ts';

const execute = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');
const KEYGATE = join(ROOT, 'bin/keygate');
const LOGS = '[{"applicationName":"shop","subsystemName":"checkout","severity":3,"text":"sold"}]';
/** IBM's authenticators fetch another token when 80 % of its time is over; that of Go ten seconds before the end at the latest. */
const LIFETIME_S = 20;

/** The very file that docs/ibm-cloud-logs.md names. */
const CONFIG = parse(readFileSync(join(ROOT, 'config/ibm-cloud-logs.yaml'), 'utf8')) as {
  readonly keys: { readonly tokens: object };
  readonly routes: { readonly singles: object };
};

interface Place {
  readonly keygate: KeygateProcess;
  readonly collector: Collector;
  readonly url: string;
  /** The command line, on the store of the gateway. */
  run(...args: string[]): Promise<string>;
  /** A key of a service id, made as IBM's guide says. */
  newKey(): Promise<{ readonly id: string; readonly apikey: string; readonly iam_id: string }>;
}

async function setUp(scope: Scope, store: object = {}): Promise<Place> {
  const collector = await startCollector(scope);
  const keygate = await startKeygateProcess(scope, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    keys: { tokens: { ...CONFIG.keys.tokens, secret: randomBytes(32).toString('base64'), lifetime: `${LIFETIME_S}s` } },
    routes: { singles: { ...CONFIG.routes.singles, target: collector.httpUrl } },
    ...store,
  });
  const run = async (...args: string[]): Promise<string> =>
    (await execute(KEYGATE, [...args, '--config', keygate.configFile])).stdout;
  return {
    keygate,
    collector,
    url: `http://${keygate.addresses.http}`,
    run,
    async newKey() {
      const name = `svc-${randomBytes(4).toString('hex')}`;
      await run('iam', 'service-id-create', name);
      await run('iam', 'service-policy-create', name, '--service-name', 'logs', '--roles', 'Sender');
      const told = await run('iam', 'service-api-key-create', name, name, '--output', 'json');
      return JSON.parse(told) as { id: string; apikey: string; iam_id: string };
    },
  };
}

/** What a sender said of one attempt: a status and which token it was, or why there was none. */
interface Attempt {
  readonly status: string;
  readonly what: string;
}

type Sender = readonly [program: string, ...args: string[]];

/** Runs one for so many seconds; `each` hears of every attempt as it is made. */
async function send(sender: Sender, place: Place, key: string, seconds: number, each?: (attempt: Attempt) => void) {
  const [program, ...args] = sender;
  const child = spawn(program, [...args, place.url, String(seconds)], {
    env: { PATH: process.env['PATH'], INGESTION_API_KEY: key },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: (seconds + 60) * 1_000,
  });
  const attempts: Attempt[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const attempt = JSON.parse(line) as Attempt;
    attempts.push(attempt);
    each?.(attempt);
  }
  return attempts;
}

const COLUMNS = ['good key', 'token runs out', 'key deleted', 'role taken away', 'unknown key', 'store away'] as const;

function situations(sender: Sender): Record<(typeof COLUMNS)[number], (scope: Scope) => Promise<string>> {
  return {
    'good key': async (scope) => {
      const place = await setUp(scope);
      const { id, apikey } = await place.newKey();
      const attempts = await send(sender, place, apikey, 2);
      assert.deepEqual(new Set(attempts.map(({ status }) => status)), new Set(['200']));
      assert.equal(new Set(attempts.map(({ what }) => what)).size, 1, 'one token');
      for (const { path, headers, body } of place.collector.arrivals) {
        assert.deepEqual([path, headers['x-keygate-key-id'], body.length > 50], ['/logs/v1/singles', [id], true]);
        assert.equal(headers['authorization'], undefined);
      }
      assert.equal(place.collector.arrivals.length, attempts.length);
      return `one token for ${attempts.length} requests, all arrived, without token`;
    },
    'token runs out': async (scope) => {
      const place = await setUp(scope);
      const { apikey } = await place.newKey();
      const attempts = await send(sender, place, apikey, LIFETIME_S + 4);
      assert.deepEqual(new Set(attempts.map(({ status }) => status)), new Set(['200']));
      const tokens = new Set(attempts.map(({ what }) => what)).size;
      assert.ok(tokens >= 2, `${tokens} tokens`);
      assert.equal(place.collector.arrivals.length, attempts.length);
      return `fetched another one in time, ${attempts.length} requests in ${LIFETIME_S + 4} s, none refused`;
    },
    'key deleted': (scope) =>
      endsAtOnce(scope, sender, ({ run }, { id }) => run('ingestion-api-key', 'delete', id, '--force', '--wait')),
    'role taken away': (scope) =>
      endsAtOnce(scope, sender, ({ run }, { iam_id: owner }) => run('service-id', 'update', owner, '--roles', 'none')),
    'unknown key': async (scope) => {
      const place = await setUp(scope);
      const [attempt] = await send(sender, place, 'a-key-that-nobody-made', 0);
      assert.equal(attempt?.status, 'failed');
      assert.match(attempt.what, /Provided API key could not be found|Bad Request/);
      return `no token: "${attempt.what.slice(0, 80)}"`;
    },
    'store away': async (scope) => {
      const redis = await startRedis();
      scope.after(() => redis.stop());
      const place = await setUp(scope, { store: { redis: { url: redis.url } } });
      const { apikey } = await place.newKey();
      const statuses: string[] = [];
      const attempts = await send(sender, place, apikey, 6, ({ status }) => {
        if (statuses.push(status) === 3) void redis.kill();
      });
      assert.deepEqual(new Set(attempts.map(({ status }) => status)), new Set(['200']));
      const [stranger] = await send(sender, place, 'a-key-that-nobody-made', 0);
      assert.equal(stranger?.status, 'failed');
      assert.ok(!/could not be found/.test(stranger.what), stranger.what);
      return `${attempts.length} requests through the outage, all arrived; a key that is not known yet: 503, no token`;
    },
  };
}

/** Sends all the time while something happens to the key, and looks at what comes after it. */
async function endsAtOnce(
  scope: Scope,
  sender: Sender,
  end: (place: Place, key: { readonly id: string; readonly iam_id: string }) => Promise<unknown>,
): Promise<string> {
  const place = await setUp(scope);
  const key = await place.newKey();
  const attempts: Attempt[] = [];
  const sending = send(sender, place, key.apikey, 15, (attempt) => attempts.push(attempt));
  await until('it sends', () => attempts.length >= 3, 30_000);
  await end(place, key);
  const before = attempts.length + 1; // one may be on its way
  await sending;
  const after = attempts.slice(before);
  assert.ok(after.length >= 3, `${after.length} requests afterwards`);
  // With the token that it has, and then without one: the gateway gives no other.
  assert.deepEqual(after.filter(({ status }) => status === '200').length, 0);
  assert.ok(after.some(({ status }) => status === '403'));
  return `403 from the next request on, with the token it had (${after.length} requests)`;
}

/** The guide of IBM, with curl and jq. */
async function guideCells(): Promise<Record<string, Cell>> {
  const [curl, jq] = [debianProgram('curl'), debianProgram('jq')];
  const shell = async (script: string, env: Record<string, string>): Promise<string> =>
    (
      await execute('bash', ['-euo', 'pipefail', '-c', script], {
        env: { PATH: process.env['PATH'], CURL: curl, JQ: jq, ...env },
      })
    ).stdout;
  return {
    'good key': await seen(async (scope) => {
      const place = await setUp(scope);
      await place.run('iam', 'service-id-create', 'logs-svc-id');
      await place.run('iam', 'service-policy-create', 'logs-svc-id', '--service-name', 'logs', '--roles', 'Sender');
      const env = { KEYGATE, CONFIG: place.keygate.configFile, URL: place.url, LOGS };
      const statuses = await shell(
        `key=$($KEYGATE iam service-api-key-create k logs-svc-id --output json --config $CONFIG | $JQ -r .apikey)
         token=$($CURL -sS -X POST $URL/identity/token --data-urlencode "apikey=$key" \\
           --data-urlencode grant_type=urn:ibm:params:oauth:grant-type:apikey | $JQ -r .access_token)
         IAM_TOKEN="Bearer $token"
         for authorization in "$IAM_TOKEN" "Bearer $IAM_TOKEN"; do
           $CURL -sS -o /dev/null -w '%{http_code} ' $URL/logs/v1/singles -H "Authorization: $authorization" \\
             -H 'Content-Type: application/json' -d "$LOGS"
         done`,
        env,
      );
      assert.equal(statuses, '200 200 ');
      assert.deepEqual(
        place.collector.arrivals.map(({ path }) => path),
        ['/logs/v1/singles', '/logs/v1/singles'],
      );
      return '`Bearer <token>` and `Bearer Bearer <token>` arrived';
    }),
    'unknown key': await seen(async (scope) => {
      const place = await setUp(scope);
      const told = await shell(
        `$CURL -sS -X POST $URL/identity/token -d apikey=nobody -d grant_type=urn:ibm:params:oauth:grant-type:apikey |
           $JQ -r '.errorCode + " " + .errorMessage'`,
        { URL: place.url },
      );
      assert.equal(told, 'BXNIM0415E Provided API key could not be found.\n');
      return told.trim();
    }),
  };
}

function makeSender(make: () => Sender): Sender | string {
  try {
    return make();
  } catch (error) {
    if (error instanceof MissingTool) return error.message;
    throw error;
  }
}

async function rowOf(name: string, sender: Sender | string): Promise<Row> {
  if (typeof sender === 'string') return rowsWithout([name], COLUMNS, sender)[0] as Row;
  const cells: Record<string, Cell> = {};
  for (const [column, look] of Object.entries(situations(sender))) cells[column] = await seen(look);
  return { name, cells };
}

export const neighbour: Neighbour = {
  title: 'IBM Cloud Logs',
  about:
    'With config/ibm-cloud-logs.yaml: the commands of the guide of IBM with `keygate iam`, and the authenticators of its SDKs for Python and Go, ' +
    'whose URL is that of the gateway. They exchange the key for a token at `/identity/token`, fetch the next one in time (tokens are good for ' +
    `${LIFETIME_S} s here), and send to \`/logs/v1/singles\`. Judged by what the senders got and by what arrived.`,
  async run(site: Site) {
    const folder = (name: string): string => join(import.meta.dirname, name);
    const requirements = join(folder('python'), 'requirements.txt');
    const python = makeSender(() => [pythonWith(requirements, site.cache), join(folder('python'), 'sender.py')]);
    const go = makeSender(() => [goProgram({ folder: folder('go'), package: 'keygate.test/interop/ibm' })]);
    site.say('the guide, with curl and jq');
    const guide: Row = { name: 'curl and jq, as in the guide', cells: await guideCells() };
    site.say('SDK for Python');
    const ofPython = await rowOf('ibm-cloud-sdk-core (Python)', python);
    site.say('SDK for Go');
    const ofGo = await rowOf('go-sdk-core (Go)', go);
    return {
      versions: {
        'ibm-cloud-sdk-core': pinned(requirements, /ibm-cloud-sdk-core==(\S+)/),
        'go-sdk-core': pinned(join(folder('go'), 'go.mod'), /go-sdk-core\/v5 v(\S+)/),
      },
      tables: [{ title: 'Keys, tokens and logs', columns: [...COLUMNS], rows: [guide, ofPython, ofGo] }],
    };
  },
};

/** The version that a file pins; the pattern has one group. */
function pinned(file: string, pattern: RegExp): string {
  return pattern.exec(readFileSync(file, 'utf8'))?.[1] ?? 'unknown';
}
