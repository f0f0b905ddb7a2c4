import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { parse } from 'yaml';
import { debianProgram } from '../../conformance/toolchain.ts';
import { startCollector } from '../../support/collector.ts';
import type { Collector } from '../../support/collector.ts';
import { startKeygateProcess } from '../../support/keygate-process.ts';
import type { KeygateProcess } from '../../support/keygate-process.ts';
import type { Scope } from '../../support/scope.ts';
import { decodeArrival } from '../../support/telemetry.ts';
import { seen } from '../neighbour.ts';
import type { Cell, Neighbour, Row } from '../neighbour.ts';

const execute = promisify(execFile);
const ROOT = join(import.meta.dirname, '../../..');
const KEYGATE = join(ROOT, 'bin/keygate');
const EXPORTER = 'node_modules/@opentelemetry/exporter-trace-otlp-http';

/** The very file that docs/groundcover.md names, with targets that are there. */
const CONFIG = parse(readFileSync(join(ROOT, 'config/groundcover.yaml'), 'utf8')) as {
  readonly keys: { readonly carriers: readonly string[]; readonly revealable: object };
  readonly routes: Readonly<Record<string, object>>;
};

interface Place {
  readonly keygate: KeygateProcess;
  readonly collector: Collector;
  /** A service token of its admin API. */
  readonly token: string;
  /** Its own command line, on the store of the gateway. */
  run(...args: string[]): Promise<string>;
  newKey(type: string): Promise<{ readonly id: string; readonly text: string }>;
  deleteKey(id: string): Promise<void>;
}

async function setUp(scope: Scope): Promise<Place> {
  const collector = await startCollector(scope);
  const target = collector.httpUrl;
  const keygate = await startKeygateProcess(scope, {
    ...CONFIG,
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    keys: {
      ...CONFIG.keys,
      revealable: {
        ...CONFIG.keys.revealable,
        encryptionKey: { id: '2026', secret: randomBytes(32).toString('base64') },
      },
    },
    routes: Object.fromEntries(Object.entries(CONFIG.routes).map(([name, route]) => [name, { ...route, target }])),
  });
  const run = async (...args: string[]): Promise<string> =>
    (await execute(KEYGATE, [...args, '--config', keygate.configFile])).stdout;
  const told = await run('service-token', 'create', '--name', 'interop', '--roles', 'admin', '-o', 'json');
  const { token } = (JSON.parse(told) as { 'service-token': { token: string } })['service-token'];
  const admin = async (method: string, path: string, body?: object): Promise<Response> => {
    const response = await fetch(`http://${keygate.addresses.admin}/api/security/ingestion/api_keys${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    assert.ok(response.ok, await response.clone().text());
    return response;
  };
  return {
    keygate,
    collector,
    token,
    run,
    async newKey(type) {
      const made = await admin('POST', '', { name: `${type}-${randomBytes(4).toString('hex')}`, type });
      const { id, apiKey } = (await made.json()) as { id: number; apiKey: string };
      return { id: String(id), text: apiKey };
    },
    async deleteKey(id) {
      await admin('DELETE', `/${id}?force=true&wait=5s`);
    },
  };
}

/** A request as curl makes it: its status, and the answer. */
async function curl(...args: string[]): Promise<{ readonly status: number; readonly body: string }> {
  const program = debianProgram('curl');
  const { stdout } = await execute(program, ['-sS', '--max-time', '10', '-w', '\n%{http_code}', ...args]);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

const JSON_TYPE = ['-H', 'Content-Type: application/json', '-d'];
const COLUMNS = ['good key', 'key deleted', 'a second key beside it'] as const;

/** How a sender may write a key for groundcover; the first is what it documents for OpenTelemetry. */
const CARRIERS: Readonly<Record<string, (key: string) => readonly string[]>> = {
  'header apikey': (key) => ['-H', `apikey: ${key}`],
  'header token': (key) => ['-H', `token: ${key}`],
  'header api_key': (key) => ['-H', `api_key: ${key}`],
  'header dd-api-key': (key) => ['-H', `DD-API-KEY: ${key}`],
  'header X-Amz-Firehose-Access-Key': (key) => ['-H', `X-Amz-Firehose-Access-Key: ${key}`],
  'Authorization: Bearer': (key) => ['-H', `Authorization: Bearer ${key}`],
  'Authorization, bare': (key) => ['-H', `Authorization: ${key}`],
  'Basic, user groundcover': (key) => ['-u', `groundcover:${key}`],
};

async function carrierCells(place: Place, carry: (key: string) => readonly string[]): Promise<Record<string, Cell>> {
  const sendWith = (...args: readonly string[]) =>
    curl(`http://${place.keygate.addresses.http}/v1/logs`, ...args, ...JSON_TYPE, '{"resourceLogs":[]}');
  return {
    'good key': await seen(async () => {
      const { id, text } = await place.newKey('thirdParty');
      const { status, body } = await sendWith(...carry(text));
      assert.equal(status, 200, body);
      const arrival = place.collector.arrivals.at(-1);
      assert.deepEqual(arrival?.headers['x-keygate-key-id'], [id]);
      assert.ok(!JSON.stringify(arrival.headers).includes(text), 'the key went on');
      return '200; arrived with the id of the key, and without the key';
    }),
    'key deleted': await seen(async () => {
      const { id, text } = await place.newKey('thirdParty');
      await place.deleteKey(id);
      const { status, body } = await sendWith(...carry(text));
      assert.equal(status, 403);
      assert.match(body, /revoked_key/);
      return '403, revoked_key';
    }),
    'a second key beside it': await seen(async () => {
      const [one, two] = [await place.newKey('thirdParty'), await place.newKey('thirdParty')];
      const { status, body } = await sendWith(...carry(one.text), '-H', `X-API-Key: ${two.text}`);
      assert.equal(status, 403);
      assert.match(body, /conflicting_credentials/);
      return '403, conflicting_credentials';
    }),
  };
}

/** OpenTelemetry's exporter with the header that groundcover documents. */
async function exporterCells(place: Place): Promise<Record<string, Cell>> {
  const exportWith = async (key: string): Promise<unknown> => {
    const url = `http://${place.keygate.addresses.http}/v1/traces`;
    let fault: unknown;
    const exporter = new OTLPTraceExporter({ url, headers: { apikey: key } });
    const noted = {
      export: (spans: Parameters<typeof exporter.export>[0], done: Parameters<typeof exporter.export>[1]) =>
        exporter.export(spans, (result) => {
          fault = result.error;
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
    };
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(noted)] });
    provider.getTracer('groundcover').startSpan('checkout').end();
    await provider.forceFlush().catch((error: unknown) => (fault = error));
    await provider.shutdown();
    return fault;
  };
  return {
    'good key': await seen(async () => {
      assert.equal(await exportWith((await place.newKey('thirdParty')).text), undefined);
      const arrival = place.collector.arrivals.at(-1);
      assert.ok(arrival);
      assert.deepEqual(decodeArrival('traces', arrival).items, ['checkout']);
      return 'the span arrived, once';
    }),
    'key deleted': await seen(async () => {
      const { id, text } = await place.newKey('thirdParty');
      await place.deleteKey(id);
      const fault = await exportWith(text);
      assert.match(String(fault), /Forbidden|403/);
      return 'it gives the span up, and says Forbidden';
    }),
  };
}

/** Keys of each type on each route. */
async function typeRows(place: Place): Promise<{ readonly columns: string[]; readonly rows: Row[] }> {
  const routes: Readonly<Record<string, readonly string[]>> = {
    '/v1/logs': [...JSON_TYPE, '{"resourceLogs":[]}'],
    '/json/logs': [...JSON_TYPE, '[]'],
    '/api/v1/write': ['-H', 'Content-Type: application/x-protobuf', '-d', 'x'],
    '/json/rum': [...JSON_TYPE, '[]'],
    '/remote-config': [],
  };
  const allowed: Readonly<Record<string, readonly string[]>> = {
    sensor: ['/v1/logs', '/json/logs', '/api/v1/write', '/remote-config'],
    thirdParty: ['/v1/logs', '/json/logs', '/api/v1/write'],
    rum: ['/json/rum'],
  };
  const rows: Row[] = [];
  for (const [type, paths] of Object.entries(allowed)) {
    const cells: Record<string, Cell> = {};
    for (const [path, args] of Object.entries(routes)) {
      cells[path] = await seen(async () => {
        const { text } = await place.newKey(type);
        const { status, body } = await curl(
          `http://${place.keygate.addresses.http}${path}`,
          '-H',
          `apikey: ${text}`,
          ...args,
        );
        if (paths.includes(path)) {
          assert.equal(status, 200, body);
          assert.equal(place.collector.arrivals.at(-1)?.path, path);
          return '200';
        }
        assert.equal(status, 403);
        assert.match(
          body,
          /RUM keys may only be used against RUM endpoints, and only sensor keys have read permissions/,
        );
        return '403, and says where keys of its type are good';
      });
    }
    rows.push({ name: `\`${type}\``, cells });
  }
  return { columns: Object.keys(routes), rows };
}

/** A call of groundcover's API, as its SDKs write it: with a backend of theirs, and what was not given as null. */
type Call = (method: string, path: string, body: object) => Promise<{ readonly status: number; readonly body: string }>;

async function managementCells(place: Place): Promise<Record<string, Cell>> {
  const headers = ['-H', `Authorization: Bearer ${place.token}`, '-H', 'X-Backend-Id: any'];
  const base = `http://${place.keygate.addresses.admin}/api/rbac/ingestion-keys`;
  const call: Call = (method, path, body) =>
    curl(`${base}/${path}`, '-X', method, ...headers, ...JSON_TYPE, JSON.stringify(body));
  /** Each by itself, with a name of its own. */
  const look = (what: (name: string) => Promise<string>) => seen(() => what(`eu-${randomBytes(4).toString('hex')}`));
  const sensor = (name: string) => ({ name, type: 'sensor', tags: null });
  const send = (key: string) =>
    curl(`http://${place.keygate.addresses.http}/v1/logs`, '-H', `apikey: ${key}`, ...JSON_TYPE, '{"resourceLogs":[]}');
  return {
    create: await look(async (name) => {
      const { status, body } = await call('POST', 'create', sensor(name));
      const { key, ...made } = JSON.parse(body) as Record<string, unknown>;
      assert.deepEqual([status, made['name'], made['type'], made['remoteConfig']], [201, name, 'sensor', true]);
      assert.equal((await send(String(key))).status, 200);
      return '201 with the key, which sends at once';
    }),
    'create again': await look(async (name) => {
      await call('POST', 'create', sensor(name));
      const { status, body } = await call('POST', 'create', { ...sensor(name), type: 'rum' });
      assert.deepEqual([status, Object.keys(JSON.parse(body) as object)], [409, ['message']]);
      return '409, {"message"}';
    }),
    'create, faulty': await look(async (name) => {
      const { status, body } = await call('POST', 'create', { name, type: 'Sensor' });
      assert.deepEqual([status, Object.keys(JSON.parse(body) as object)], [400, ['message']]);
      return '400, {"message"}';
    }),
    list: await look(async (name) => {
      const made = await call('POST', 'create', sensor(name));
      await call('POST', 'create', { ...sensor(name), name: `${name}-2` });
      const { status, body } = await call('POST', 'list', { name });
      assert.deepEqual([status, JSON.parse(body)], [200, [JSON.parse(made.body)]]);
      return '200, exactly the one of this name, with its text';
    }),
    delete: await look(async (name) => {
      const { key } = JSON.parse((await call('POST', 'create', sensor(name))).body) as { key: string };
      assert.equal((await send(key)).status, 200);
      assert.equal((await call('DELETE', 'delete', { name })).status, 202);
      assert.equal((await send(key)).status, 403);
      assert.equal((await call('DELETE', 'delete', { name })).status, 404);
      return '202, though in use, and it sends no more; again: 404';
    }),
  };
}

const CALLS = ['create', 'create again', 'create, faulty', 'list', 'delete'] as const;

/** The command that groundcover's users have in their install scripts. */
async function commandCell({ run }: Place): Promise<Cell> {
  return seen(async () => {
    const first = await run('get-ingestion-key', 'sensor', 'prod-eu');
    assert.match(first, /^iapikeyok-[0-9A-Za-z]{38}\n$/);
    assert.equal(await run('get-ingestion-key', 'sensor', 'prod-eu'), first);
    return 'prints the key and nothing else, and the same one again';
  });
}

export const neighbour: Neighbour = {
  title: 'groundcover',
  about:
    'With config/groundcover.yaml: keys as groundcover documents them, from `curl` and from the exporter of OpenTelemetry for JavaScript ' +
    'with the header `apikey`; the types of keys on its routes; and its calls for ingestion keys, written as its SDK for Go writes them: ' +
    'that SDK is not to be had from the module proxy that these tests may use. Judged by what arrived at a collector, and by what a key could do then.',
  async run(site) {
    const place = await setUp(site.scope);
    site.say('keys in each header');
    const carriers: Row[] = [{ name: 'OTLP exporter (JavaScript), header apikey', cells: await exporterCells(place) }];
    for (const [name, carry] of Object.entries(CARRIERS)) {
      carriers.push({ name: `curl, ${name}`, cells: await carrierCells(place, carry) });
    }
    site.say('types of keys on each route');
    const types = await typeRows(place);
    site.say('its calls for ingestion keys');
    const management = await managementCells(place);
    return {
      versions: {
        '@opentelemetry/exporter-trace-otlp-http': (
          JSON.parse(readFileSync(join(ROOT, EXPORTER, 'package.json'), 'utf8')) as { version: string }
        ).version,
      },
      tables: [
        { title: 'Keys as they are sent', columns: [...COLUMNS], rows: carriers },
        { title: 'Types of keys', columns: types.columns, rows: types.rows },
        {
          title: 'Managing keys',
          columns: [...CALLS, 'get-or-create'],
          rows: [
            { name: 'curl, as its SDKs call', cells: management },
            { name: '`keygate get-ingestion-key`', cells: { 'get-or-create': await commandCell(place) } },
          ],
        },
      ],
    };
  },
};
