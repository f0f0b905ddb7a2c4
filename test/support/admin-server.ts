import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { ADMIN_CREDENTIALS, ADMIN_SERVER_OPTIONS, createAdminHandler } from '../../src/admin/handler.ts';
import type { AdminRequest } from '../../src/admin/handler.ts';
import type { GatewayState } from '../../src/admin/overview.ts';
import { createServerInfo } from '../../src/admin/server-info.ts';
import { createConsole } from '../../src/console/console.ts';
import type { SignInAttempt } from '../../src/console/session-routes.ts';
import { createDigester } from '../../src/credential/digest.ts';
import { createCredentialReader } from '../../src/credential/read.ts';
import { createGate } from '../../src/gate.ts';
import { STORE_UNAVAILABLE, UNKNOWN } from '../../src/keys/answer.ts';
import { createReceiverKeys, withReceiverKeys } from '../../src/keys/receiver-keys.ts';
import { withOwners } from '../../src/keys/with-owners.ts';
import type { AuditEntry } from '../../src/keys/audit.ts';
import { createKeyService } from '../../src/keys/service.ts';
import type { Sealer } from '../../src/keys/seal.ts';
import type { KeyService } from '../../src/keys/service.ts';
import { openStore } from '../../src/store/open.ts';
import { StoreError } from '../../src/store/port.ts';
import type { KeyStore } from '../../src/store/port.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { createLogLevelControl } from '../../src/telemetry/log-level.ts';
import { createTraffic } from '../../src/traffic/traffic.ts';

/** The admin API on a real socket, over a real SQLite store, with a clock that the test sets. */
export interface TestAdmin {
  readonly url: string;
  readonly service: KeyService;
  /** The changes made through the service. */
  readonly audited: readonly AuditEntry[];
  readonly requests: readonly AdminRequest[];
  /** What was said of the level of the log. */
  readonly logged: readonly string[];
  /** The attempts to sign in to the console. */
  readonly signIns: readonly SignInAttempt[];
  setNow(nowMs: number): void;
  /** Makes a service token with these roles, past the API. */
  tokenFor(roles: readonly string[], name?: string): Promise<string>;
  request(method: string, path: string, options?: AdminCall): Promise<AdminReply>;
  close(): Promise<void>;
}

export interface AdminCall {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON unless it is text. */
  readonly body?: unknown;
}

export interface AdminReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON; undefined when there is none. */
  readonly json: unknown;
}

export const NOW = Date.parse('2030-01-01T00:00:00Z');
export const RECEIVER_KEY = 'a-receiver-key-of-the-tests';

/** What a gateway would say of itself. */
export const STATE: GatewayState = {
  workers: 1,
  draining: false,
  ports: { grpc: { port: 4317, tls: true }, http: { port: 4318, tls: false } },
  connections: { grpc: 3, http: 4 },
  store: { kind: 'sqlite', up: true, breakerOpen: false, evicts: false },
  feed: { up: true },
  cache: { known: 5, maxKnown: 100, unknown: 6, maxUnknown: 200, hits: 70, agedHits: 1, misses: 8, shed: 0 },
  collectors: [{ protocol: 'grpc', healthy: 2, ejected: 1, connections: 9 }],
};

export interface TestAdminOptions {
  readonly path: string;
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
  /** Stands between the API and the store, to take the store away. */
  readonly wrapStore?: (store: KeyStore) => KeyStore;
  readonly sealer?: Sealer;
  /** Where browsers see it, when that is neither an address nor localhost. */
  readonly publicUrl?: string;
}

export async function startAdmin(options: TestAdminOptions): Promise<TestAdmin> {
  const { path, tls, wrapStore = (store) => store, sealer, publicUrl } = options;
  let nowMs = NOW;
  const now = () => nowMs;
  const audited: AuditEntry[] = [];
  const requests: AdminRequest[] = [];
  const logged: string[] = [];
  const opened = openStore({ redis: null, sqlite: { path } });
  const store = wrapStore(opened);
  const digest = createDigester({});
  const service = createKeyService({
    store,
    digester: digest,
    now,
    random: randomBytes,
    tombstoneMs: 1_000_000,
    audited: (entry) => audited.push(entry),
    ...(sealer && { sealer }),
  });
  const receiver = createReceiverKeys([{ name: 'receiver', key: RECEIVER_KEY, tenant: null }], digest);
  const gate = createGate({
    readCredential: createCredentialReader(ADMIN_CREDENTIALS),
    digest,
    lookup: withOwners(
      withReceiverKeys(receiver, async (digests) => {
        try {
          const record = await store.find([digests.digest, ...digests.alternates]);
          return record === undefined ? UNKNOWN : { kind: 'known', record };
        } catch (error) {
          if (error instanceof StoreError) return STORE_UNAVAILABLE;
          throw error;
        }
      }),
    ),
    now,
  });
  const traffic = createTraffic(now);
  const log = createLog({ level: 'info', format: 'json', output: { write: (line) => logged.push(line) } });
  const signIns: SignInAttempt[] = [];
  const observe = {
    answered: (request: AdminRequest) => void requests.push(request),
    signIn: (attempt: SignInAttempt) => void signIns.push(attempt),
  };
  const web = createConsole({ gate, version: '1.2.3', now, random: randomBytes, publicUrl, observe });
  const handler = createAdminHandler({
    gate,
    session: web.session,
    overview: () => STATE,
    service,
    store,
    gateway: 'gateway-1',
    traffic,
    logLevel: createLogLevelControl(log, now),
    serverInfo: createServerInfo('1.2.3'),
    now,
    observe,
  });
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (!web.serve(request, response)) handler(request, response);
  };
  const server =
    tls === undefined
      ? createServer(ADMIN_SERVER_OPTIONS, listener)
      : createTlsServer({ ...ADMIN_SERVER_OPTIONS, ...tls }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url,
    service,
    audited,
    requests,
    logged,
    signIns,
    setNow: (value) => {
      nowMs = value;
    },
    async tokenFor(roles, name = `token ${roles.join(' ')}`) {
      return (await service.create({ kind: 'service', name, roles }, { name: 'a test' })).text;
    },
    async request(method, requestPath, { token, headers = {}, body } = {}) {
      const response = await fetch(url + requestPath, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `ApiKey ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const json: unknown = text === '' ? undefined : JSON.parse(text);
      return { status: response.status, headers: response.headers, text, json };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await opened.close();
    },
  };
}
