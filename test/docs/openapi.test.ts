import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { z } from 'zod';
import { permissionsOf, roleNames } from '../../src/admin/roles.ts';
import { NOW, startAdmin } from '../support/admin-server.ts';
import type { AdminCall, AdminReply, TestAdmin } from '../support/admin-server.ts';

type Json = Record<string, unknown>;

interface Operation {
  readonly operationId: string;
  readonly description: string;
  readonly security: readonly unknown[];
  readonly requestBody?: Json;
  readonly responses: Readonly<Record<string, { readonly content?: { 'application/json': { schema: Json } } }>>;
}

interface Document {
  readonly openapi: string;
  readonly info: Json;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Json; readonly securitySchemes: Json };
}

const directory = mkdtempSync(join(tmpdir(), 'keygate-openapi-'));
let admin: TestAdmin;
let document: Document;

before(async () => {
  admin = await startAdmin({ path: join(directory, 'keys.db') });
  document = (await admin.request('GET', '/api/openapi.json')).json as Document;
});

after(async () => {
  await admin.close();
  rmSync(directory, { recursive: true });
});

/** A schema as one that stands alone, with what it refers to inside it. */
function standalone(schema: Json): Parameters<typeof z.fromJSONSchema>[0] {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  return JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Parameters<typeof z.fromJSONSchema>[0];
}

function assertDocumented(method: string, path: string, { status, text, json }: AdminReply): void {
  const response = document.paths[path]?.[method.toLowerCase()]?.responses[String(status)];
  assert.ok(response, `${method} ${path} answered ${status}, which the document does not have`);
  const schema = response.content?.['application/json'].schema;
  // The one answer that has a body or none: 403 of authorize.
  if (text === '' && (schema === undefined || status === 403)) return;
  assert.ok(schema, `${method} ${path} answered ${status} with a body, which the document does not have`);
  const result = z.fromJSONSchema(standalone(schema)).safeParse(json);
  assert.ok(result.success, `${method} ${path} ${status}: ${text} ${result.error?.message}`);
}

const KEYS = '/api/security/ingestion/api_keys';
const TOKENS = '/api/security/tokens';
const SERVICE_IDS = '/api/security/service_ids';
const USERS = '/api/security/users';
const AUTHORIZE = '/api/security/ingestion/authorize';

test('the document is OpenAPI 3.1, served without a token, with this version', () => {
  assert.equal(document.openapi, '3.1.0');
  assert.equal(document.info['version'], '1.2.3');
});

test('its operations are exactly those that the server knows', async () => {
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(documented, [
    `GET ${KEYS}`,
    `POST ${KEYS}`,
    `DELETE ${KEYS}/{id}`,
    `GET ${KEYS}/{id}`,
    `PATCH ${KEYS}/{id}`,
    `POST ${AUTHORIZE}`,
    `GET ${TOKENS}`,
    `POST ${TOKENS}`,
    `DELETE ${TOKENS}/{id}`,
    `GET ${TOKENS}/{id}`,
    `PATCH ${TOKENS}/{id}`,
    `POST ${KEYS}/{id}/rotate`,
    `POST ${KEYS}/{id}/disable`,
    `POST ${KEYS}/{id}/enable`,
    `POST ${KEYS}/{id}/reveal`,
    `POST ${TOKENS}/{id}/rotate`,
    `POST ${TOKENS}/{id}/disable`,
    `POST ${TOKENS}/{id}/enable`,
    'GET /api/security/audit',
    ...[SERVICE_IDS, USERS].flatMap((path) => [
      `GET ${path}`,
      `POST ${path}`,
      `GET ${path}/{id}`,
      `PATCH ${path}/{id}`,
      `DELETE ${path}/{id}`,
      `POST ${path}/{id}/lock`,
      `POST ${path}/{id}/unlock`,
    ]),
    'POST /api/security/keys/import',
    'GET /api/security/keys/export',
    'POST /api/security/explain',
    'GET /api/traffic',
    'GET /api/overview',
    'GET /api/log-level',
    'PUT /api/log-level',
    'GET /api/server/info',
    'GET /api/server/status',
    'POST /api/rbac/ingestion-keys/create',
    'POST /api/rbac/ingestion-keys/list',
    'DELETE /api/rbac/ingestion-keys/delete',
    'GET /api/openapi.json',
  ]);
  for (const operation of documented) {
    const [method = '', path = ''] = operation.split(' ');
    const { status } = await admin.request(method, path.replace('{id}', '1'));
    assert.ok(status === 401 || status === 200, `${operation} is in the document, and the server answers ${status}`);
  }
});

test('every operation says which permission it needs, and names it to whoever lacks it', async () => {
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { description, security }] of Object.entries(methods)) {
      const [, permission] = /^Needs the permission ([a-z-]+)\. ./.exec(description) ?? [];
      if (permission === undefined) {
        assert.match(description, security.length === 0 ? /^Needs no token\.$/ : /^Needs a valid service token/, path);
        continue;
      }
      const role = roleNames.find((each) => ![...permissionsOf([each])].some((given) => given === permission));
      assert.ok(role, `every role gives ${permission}`);
      const token = (tokens[role] ??= await admin.tokenFor([role]));
      const reply = await admin.request(method.toUpperCase(), path.replace('{id}', '1'), { token });
      const expected = `This needs the permission ${permission}, which the roles of this token (${role}) do not give.`;
      assert.deepEqual([reply.status, messageOf(reply)], [403, expected], `${method} ${path}`);
    }
  }
});

const tokens: Record<string, string> = {};

function messageOf({ json }: AdminReply): string | undefined {
  const { errors, message } = json as { errors?: { message: string }[]; message?: string };
  return errors?.[0]?.message ?? message;
}

test('every operation has an id of its own, and says whether it needs a token', async () => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
  for (const { path, method, operation } of operations) {
    const { status } = await admin.request(method.toUpperCase(), path.replace('{id}', '1'));
    assert.equal(operation.security.length === 0, status === 200, `${method} ${path}`);
  }
});

test('every reference leads somewhere, and every named schema is used', () => {
  const text = JSON.stringify(document);
  const used = new Set([...text.matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name = '']) => name));
  assert.deepEqual([...used].toSorted(), Object.keys(document.components.schemas).toSorted());
});

test('what the server answers is what the document says, in success and in refusal', async () => {
  const token = await admin.tokenFor(['admin'], 'root');
  const guest = await admin.tokenFor(['stackstate-guest'], 'guest');
  const call = async (method: string, path: string, options: AdminCall, id = ''): Promise<AdminReply> => {
    const reply = await admin.request(method, path.replace('{id}', id), options);
    assertDocumented(method, path, reply);
    return reply;
  };
  const key = await call('POST', KEYS, { token, body: { name: 'k', description: 'd', expiration: NOW + 1_000 } });
  const owner = await call('POST', '/api/security/users', { token, body: { name: 's' } });
  assert.equal(owner.status, 200);
  const made = await call('POST', TOKENS, { token, body: { name: 't', roles: ['viewer'], dedicatedSubject: 's' } });
  const { id: keyId, apiKey } = key.json as { id: number; apiKey: string };
  const seen = [
    key,
    made,
    await call('GET', KEYS, { token }),
    await call('GET', TOKENS, { token }),
    await call('POST', AUTHORIZE, { token, body: { apiKey } }),
    await call('POST', AUTHORIZE, { token, body: { apiKey: 'nobody' } }),
    await call('POST', AUTHORIZE, { token: guest, body: { apiKey } }),
    await call('POST', AUTHORIZE, { token, body: {} }),
    await call('GET', '/api/server/info', { token }),
    await call('GET', '/api/server/status', { token }),
    await call('GET', '/api/openapi.json', {}),
    await call('GET', '/api/log-level', { token }),
    await call('PUT', '/api/log-level', { token, body: { level: 'debug', duration: 5_000 } }),
    await call('PUT', '/api/log-level', { token, body: { level: 'loud' } }),
    await call('POST', KEYS, { token, body: { name: 'k' } }),
    await call('POST', KEYS, { token, body: { name: 'old', expiration: 1 } }),
    await call('POST', TOKENS, { token, body: { name: 'old', roles: ['viewer'], expiryDate: 1 } }),
    await call('POST', TOKENS, { token, body: { name: 'x', roles: [] } }),
    await call('POST', KEYS, { token, body: '{}', headers: { 'content-type': 'text/plain' } }),
    await call('POST', KEYS, { token, body: { name: 'x'.repeat(70_000) } }),
    await call('GET', KEYS, {}),
    await call('GET', KEYS, { token: guest }),
    await call('DELETE', `${KEYS}/{id}`, { token }, String(keyId)),
    await call('DELETE', `${KEYS}/{id}`, { token }, String(keyId)),
    await call('DELETE', `${TOKENS}/{id}`, { token }, 'x'),
    await call('DELETE', `${TOKENS}/{id}`, { token }, String((made.json as { id: number }).id)),
  ];
  assert.deepEqual(
    seen.map(({ status }) => status),
    [
      200, 200, 200, 200, 204, 403, 403, 400, 200, 200, 200, 200, 200, 400, 409, 400, 400, 400, 415, 413, 401, 403, 204,
      404, 400, 204,
    ],
  );
});

test('what the server answers about the life of keys is what the document says', async () => {
  const token = await admin.tokenFor(['admin'], 'life');
  const call = async (method: string, path: string, id: string, body?: unknown): Promise<AdminReply> => {
    const reply = await admin.request(method, path.replace('{id}', id), { token, ...(body !== undefined && { body }) });
    assertDocumented(method, path, reply);
    return reply;
  };
  const statuses: number[] = [];
  for (const [list, kind] of [
    [KEYS, 'ingestion'],
    [TOKENS, 'service'],
  ] as const) {
    const roles = kind === 'service' ? { roles: ['viewer'] } : {};
    const made = await admin.service.create({ kind, name: 'long-lived', ...roles }, { name: 'a test' });
    const path = `${list}/{id}`;
    const { id } = made.record;
    const replies = [
      await call('POST', `${path}/disable`, id),
      await call('POST', `${path}/rotate`, id, {}),
      await call('POST', `${path}/enable`, id),
      await call('POST', `${path}/rotate`, id, { gracePeriod: 5, expiration: NOW + 9 }),
      await call('POST', `${path}/rotate`, id, { gracePeriod: -5 }),
      await call('GET', path, id),
      await call('GET', path, '1'),
      await call('POST', `${path}/enable`, 'x'),
    ];
    statuses.push(...replies.map(({ status }) => status));
    const all = await admin.request('GET', `${list}?all=true`, { token });
    assertDocumented('GET', list, all);
    assert.ok((all.json as { state: string }[]).some(({ state }) => state === 'retiring'));
    assertDocumented('GET', list, await admin.request('GET', `${list}?sort=size`, { token }));
  }
  assert.deepEqual(statuses, [200, 409, 200, 200, 400, 200, 404, 400, 200, 409, 200, 200, 400, 200, 404, 400]);
  const scoped = {
    type: 'rum',
    cidrs: ['10.0.0.0/8'],
    origins: ['https://a.example'],
    limits: { requestsPerSecond: 5 },
  } as const;
  const { record } = await admin.service.create(
    { kind: 'ingestion', name: 'described', ...scoped },
    { name: 'a test' },
  );
  const { sealed: _none, ...described } = record;
  assert.equal((await call('PATCH', `${KEYS}/{id}`, record.id, { description: 'x', expiration: null })).status, 200);
  assert.equal((await call('PATCH', `${KEYS}/{id}`, record.id, { expiration: 1 })).status, 400);
  assert.equal((await call('POST', `${KEYS}/{id}/reveal`, record.id)).status, 409);
  const lines = [{ ...described, id: '1' }, { name: 'x' }];
  assert.equal((await call('POST', '/api/security/keys/import', '', { lines })).status, 200);
  assert.equal((await call('POST', '/api/security/keys/import', '', { lines: [] })).status, 400);
  const exported: { type?: string }[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = await admin.request('GET', `/api/security/keys/export${after && `?after=${after}`}`, { token });
    assertDocumented('GET', '/api/security/keys/export', page);
    const { keys, next } = page.json as { keys: { type?: string }[]; next?: string };
    exported.push(...keys);
    after = next;
  }
  assert.equal(exported.filter(({ type }) => type === 'rum').length, 1);
  assert.equal((await admin.request('GET', '/api/security/keys/export?after=x', { token })).status, 400);
  assert.equal((await call('POST', '/api/security/explain', '', { id: Number(record.id) })).status, 200);
  assert.equal((await call('POST', '/api/security/explain', '', {})).status, 400);
  assert.equal((await call('POST', '/api/security/explain', '', { id: 1 })).status, 404);
  const audit = await call('GET', '/api/security/audit', '');
  assert.ok((audit.json as unknown[]).length > 5);
});

test('the guide names every path of the document', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/admin-api.md'), 'utf8');
  const missing = Object.keys(document.paths).filter(
    (path) => !path.split('{id}').every((part) => guide.includes(part)),
  );
  assert.deepEqual(missing, []);
});
