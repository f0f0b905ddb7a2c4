import { stringify } from 'yaml';
import { z } from 'zod';
import {
  auditLogEntrySchema,
  ingestionKeyDetailsSchema,
  revealedIngestionKeySchema,
  rotatedIngestionKeySchema,
  rotatedServiceTokenSchema,
  serviceTokenDetailsSchema,
} from '../admin/life-schemas.ts';
import { ownerDetailsSchema, ownerSchema } from '../admin/owner-schemas.ts';
import { explanationSchema } from '../admin/explain.ts';
import { logLevelSchema } from '../admin/log-level.ts';
import { propagationSchema } from '../admin/propagation.ts';
import {
  createdServiceTokenSchema,
  generatedIngestionKeySchema,
  ingestionKeySchema,
  serverInfoSchema,
  serviceTokenSchema,
} from '../admin/schemas.ts';
import type { ServerInfo } from '../admin/schemas.ts';
import { trafficSchema } from '../admin/traffic.ts';
import { importAnswerSchema } from '../admin/transfer-schemas.ts';
import { CliError, EXIT } from './errors.ts';
import { sendRequest, TIMEOUT_MS } from './http-request.ts';
import type { HttpResponse } from './http-request.ts';
import type { KeyAdmin, KeyLife, OwnerAdmin, Wait } from './key-admin.ts';

export interface RemoteOptions {
  /** Where the admin API is; a path before /api is kept. */
  readonly url: string;
  readonly token: string;
  readonly ca: string | undefined;
  readonly skipSsl: boolean;
  readonly texts: Pick<KeyAdmin, 'digestsOf' | 'readToken'>;
}

const KEYS = 'security/ingestion/api_keys';
const TOKENS = 'security/tokens';
const SERVICE_IDS = 'security/service_ids';
const USERS = 'security/users';
const EXPLAIN = 'security/explain';
const AUDIT = 'security/audit';
const IMPORT = 'security/keys/import';
const EXPORT = 'security/keys/export';
const TRAFFIC = 'traffic';
const LOG_LEVEL = 'log-level';

export interface RemoteKeyAdmin extends KeyAdmin {
  /** Who answers there, if it accepts the token. */
  serverInfo(): Promise<ServerInfo>;
}

/** Manages keys through the admin API of a running gateway. */
export function openRemoteKeyAdmin({ url, token, ca, skipSsl, texts }: RemoteOptions): RemoteKeyAdmin {
  const base = parseBase(url);
  checkToken(token);

  async function call(method: string, path: string, content?: unknown, waitMs = 0): Promise<HttpResponse> {
    const body = content === undefined ? undefined : JSON.stringify(content);
    const headers = {
      accept: 'application/json',
      authorization: `ApiKey ${token}`,
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
      }),
    };
    const response = await sendRequest({
      url: new URL(path, base),
      method,
      headers,
      body,
      ca,
      skipSsl,
      timeoutMs: waitMs + TIMEOUT_MS,
    }).catch((error: Error) => {
      throw couldNotConnect(url, error.message, error);
    });
    if (response.status >= 200 && response.status < 300) return response;
    throw toCliError(url, response);
  }

  async function callAndWait(method: string, path: string, wait: Wait, content?: unknown): Promise<HttpResponse> {
    return call(method, withQuery(path, { wait: wait === undefined ? undefined : `${wait}ms` }), content, wait);
  }

  async function remove(path: string, wait: Wait) {
    const response = await callAndWait('DELETE', path, wait);
    if (wait === undefined) return undefined;
    if (response.status === 200) return fetchOne(propagationSchema, response);
    const message = 'it is deleted, but this gateway is too old to say who has applied that: update it to use --wait';
    throw new CliError(message, { exitCode: EXIT.unconfirmed });
  }

  /** Later versions of the API may say more than is known here: what is known is taken. */
  async function fetchOne<S extends z.ZodRawShape>(schema: z.ZodObject<S>, response: HttpResponse) {
    return read(url, z.object(schema.shape), response);
  }

  async function fetchAll<S extends z.ZodRawShape>(schema: z.ZodObject<S>, response: HttpResponse) {
    return read(url, z.array(z.object(schema.shape)), response);
  }

  function lifeOf<D extends z.ZodRawShape, R extends z.ZodRawShape>(
    path: string,
    details: z.ZodObject<D>,
    rotated: z.ZodObject<R>,
  ): KeyLife<Known<D>, Known<R>> {
    return {
      listDetails: async (query) => fetchAll(details, await call('GET', withQuery(path, { ...query, details: true }))),
      get: async (id) => fetchOne(details, await call('GET', `${path}/${id}`)),
      rotate: async (id, rotation, wait) =>
        fetchOne(rotated, await callAndWait('POST', `${path}/${id}/rotate`, wait, rotation)),
      disable: async (id, wait) => fetchOne(details, await callAndWait('POST', `${path}/${id}/disable`, wait)),
      enable: async (id, wait) => fetchOne(details, await callAndWait('POST', `${path}/${id}/enable`, wait)),
    };
  }

  function ownersAt(path: string): OwnerAdmin {
    const change = async (method: string, at: string, content?: unknown) =>
      fetchOne(ownerDetailsSchema, await call(method, at, content));
    return {
      create: (owner) => change('POST', path, owner),
      list: async (query) => fetchAll(ownerSchema, await call('GET', withQuery(path, query))),
      get: (id) => change('GET', `${path}/${id}`),
      update: (id, update) => change('PATCH', `${path}/${id}`, update),
      lock: async (id, wait) => fetchOne(ownerDetailsSchema, await callAndWait('POST', `${path}/${id}/lock`, wait)),
      unlock: async (id, wait) => fetchOne(ownerDetailsSchema, await callAndWait('POST', `${path}/${id}/unlock`, wait)),
      delete: async (id, wait, revocation = {}) =>
        fetchOne(ownerDetailsSchema, await callAndWait('DELETE', withQuery(`${path}/${id}`, revocation), wait)),
    };
  }

  return {
    serverInfo: async () => fetchOne(serverInfoSchema, await call('GET', 'server/info')),
    createIngestionKey: async (key) => fetchOne(generatedIngestionKeySchema, await call('POST', KEYS, key)),
    listIngestionKeys: async (query) => fetchAll(ingestionKeySchema, await call('GET', withQuery(KEYS, query))),
    deleteIngestionKey: async (id, revocation, wait) => remove(withQuery(`${KEYS}/${id}`, revocation), wait),
    createServiceToken: async (request) => fetchOne(createdServiceTokenSchema, await call('POST', TOKENS, request)),
    listServiceTokens: async (query) => fetchAll(serviceTokenSchema, await call('GET', withQuery(TOKENS, query))),
    deleteServiceToken: async (id, revocation, wait) => remove(withQuery(`${TOKENS}/${id}`, revocation), wait),
    ingestionKeys: lifeOf(KEYS, ingestionKeyDetailsSchema, rotatedIngestionKeySchema),
    serviceTokens: lifeOf(TOKENS, serviceTokenDetailsSchema, rotatedServiceTokenSchema),
    serviceIds: ownersAt(SERVICE_IDS),
    users: ownersAt(USERS),
    updateServiceToken: async (id, update) =>
      fetchOne(serviceTokenDetailsSchema, await call('PATCH', `${TOKENS}/${id}`, update)),
    updateIngestionKey: async (id, update) =>
      fetchOne(ingestionKeyDetailsSchema, await call('PATCH', `${KEYS}/${id}`, update)),
    revealIngestionKey: async (id) => fetchOne(revealedIngestionKeySchema, await call('POST', `${KEYS}/${id}/reveal`)),
    importKeys: async (lines, { dryRun }) => {
      const { results } = await fetchOne(importAnswerSchema, await call('POST', IMPORT, { lines, dryRun }));
      if (results.length === lines.length) return results;
      throw couldNotConnect(url, `it answered ${results.length} of ${lines.length} lines`);
    },
    exportKeys: async (query) => read(url, exportedKeysSchema, await call('GET', withQuery(EXPORT, query))),
    ...texts,
    audit: async ({ limit, before, keyId }) =>
      fetchAll(auditLogEntrySchema, await call('GET', withQuery(AUDIT, { limit, before, key: keyId }))),
    explain: async (request) => fetchOne(explanationSchema, await call('POST', EXPLAIN, request)),
    traffic: async (sources) => fetchOne(trafficSchema, await call('GET', withQuery(TRAFFIC, { sources }))),
    logLevel: async () => fetchOne(logLevelSchema, await call('GET', LOG_LEVEL)),
    setLogLevel: async (level) => fetchOne(logLevelSchema, await call('PUT', LOG_LEVEL, level)),
    close: async () => {},
  };
}

/** Keys go into the file as they came, with whatever later versions know of them. */
const exportedKeysSchema = z.object({ keys: z.array(z.looseObject({})), next: z.string().optional() });

/** What is taken of an answer, whatever else is in it. */
type Known<S extends z.ZodRawShape> = z.output<z.ZodObject<S>>;

/** The path with those parameters that have a value. */
function withQuery(path: string, query: object): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return search === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${search}`;
}

function parseBase(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
    throw new CliError(`the URL ${JSON.stringify(url)} must be http://host:port or https://host:port`, {
      exitCode: EXIT.refused,
    });
  }
  const path = parsed.pathname.replace(/\/+$/, '').replace(/\/api$/, '');
  return new URL(`${path}/api/`, parsed);
}

function checkToken(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  throw new CliError('the service token is empty, or has spaces or line breaks in it: copy it again', {
    exitCode: EXIT.refused,
  });
}

function couldNotConnect(url: string, why: string, cause?: unknown): CliError {
  return new CliError(`could not connect to ${url} (${why})`, { exitCode: EXIT.connect, cause });
}

function read<T>(url: string, schema: z.ZodType<T>, { body }: HttpResponse): T {
  const result = schema.safeParse(parseJson(body));
  if (result.success) return result.data;
  throw couldNotConnect(url, 'what answers there is not the admin API of Keygate: is the port that of admin.address?');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As in StackState's CLI: the HTTP status, and below it the answer as YAML; a token that is not accepted is code 4. */
function toCliError(url: string, { status, statusText, contentType, body }: HttpResponse): CliError {
  const json = contentType === 'application/json' ? parseJson(body) : undefined;
  const reason = reasonIn(json);
  if (status === 401) return couldNotConnect(url, reason ?? 'the service token is not accepted');
  const line = `${status} ${statusText}`.trim();
  const exitCode = status === 404 && reason !== undefined ? EXIT.notFound : EXIT.refused;
  if (json !== undefined) {
    return new CliError(line, { exitCode, reason, details: stringify(json, { sortMapEntries: true }) });
  }
  if (contentType === 'text/plain' && body !== '') return new CliError(line, { exitCode, details: body });
  return new CliError(line, { exitCode, details: 'What answers there is not the admin API of Keygate.' });
}

const manyErrors = z.object({ errors: z.array(z.object({ message: z.string() })) });
const oneError = z.object({ message: z.string() });

function reasonIn(json: unknown): string | undefined {
  const many = manyErrors.safeParse(json);
  if (many.success) return many.data.errors.map(({ message }) => message).join(', ');
  return oneError.safeParse(json).data?.message;
}
