import type * as http from 'node:http';
import { fileURLToPath } from 'node:url';
import { credentials, loadPackageDefinition } from '@grpc/grpc-js';
import type { ChannelCredentials, Client, ClientReadableStream, ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { HttpAnswer } from './http-client.ts';
import { callHttp } from './http-client.ts';
import { decodeStatus } from './rpc-status.ts';
import type { Scope } from './scope.ts';

/** Proxies that ask Keygate: as Envoy over gRPC, with a real gRPC library and the definitions in proto/; or over HTTP. */

const packages = loadPackageDefinition(
  loadSync(['envoy/service/auth/v3/external_auth.proto', 'grpc/health/v1/health.proto'], {
    includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
    keepCase: true,
    longs: Number,
    enums: String,
    oneofs: true,
  }),
);

type Unary = (request: object, reply: (error: ServiceError | null, answer: unknown) => void) => void;
type Asking = Client & { Check: Unary; Watch: (request: object) => ClientReadableStream<{ status: string }> };
type Constructor = new (address: string, security: ChannelCredentials) => Asking;

function clientOf(t: Scope, name: readonly string[], address: string, security: ChannelCredentials): Asking {
  const Made = name.reduce<unknown>((found, part) => (found as Record<string, unknown>)[part], packages) as Constructor;
  const client = new Made(address, security);
  t.after(() => client.close());
  return client;
}

function ask<T>(client: Asking, request: object): Promise<T> {
  return new Promise((resolve, reject) => {
    client.Check(request, (error, answer) => (error ? reject(error) : resolve(answer as T)));
  });
}

/** A request as Envoy tells of it. */
export interface Told {
  readonly path?: string;
  readonly method?: string;
  /** As they came, with encode_raw_headers; a name may be there twice. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
  /** One of each name, as Envoy has it by itself. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly peer?: string;
}

export interface Checked {
  readonly code: number;
  /** Undefined if it may pass. */
  readonly denied:
    | { readonly status: number; readonly headers: Record<string, string>; readonly body: string }
    | undefined;
  /** In place of what is there. */
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

interface Option {
  readonly header: { readonly key: string; readonly value: string };
  readonly append: { readonly value?: boolean } | undefined;
  readonly append_action: string;
}
interface CheckResponse {
  readonly status: { readonly code?: number };
  readonly denied_response?: { status: { code: number }; headers?: Option[]; body?: string };
  readonly ok_response?: { headers?: Option[]; headers_to_remove?: string[] };
}

export const TRACES = '/v1/traces';

export function connectExtAuthz(t: Scope, address: string, security = credentials.createInsecure()) {
  const authorization = clientOf(t, ['envoy', 'service', 'auth', 'v3', 'Authorization'], address, security);
  const health = clientOf(t, ['grpc', 'health', 'v1', 'Health'], address, security);
  return {
    async check({ path = TRACES, method = 'POST', fields, headers = {}, peer = '192.0.2.7' }: Told): Promise<Checked> {
      const raw = fields?.map(([key, value]) => ({ key, raw_value: Buffer.from(value, 'latin1') }));
      const http = { method, path, ...(raw ? { header_map: { headers: raw } } : { headers }) };
      const source = { address: { socket_address: { address: peer } } };
      return read(await ask<CheckResponse>(authorization, { attributes: { source, request: { http } } }));
    },
    /** A question about a connection, as Envoy's other filter asks. */
    checkNothing: async () => read(await ask<CheckResponse>(authorization, { attributes: {} })),
    health: async (service = '') => (await ask<{ status: string }>(health, { service })).status,
    watch: (service = '') => health.Watch({ service }),
  };
}

function read({ status, denied_response: denied, ok_response: ok }: CheckResponse): Checked {
  return {
    code: status.code ?? 0,
    denied: denied && { status: denied.status.code, headers: toRecord(denied.headers), body: denied.body ?? '' },
    set: toRecord(ok?.headers),
    remove: ok?.headers_to_remove ?? [],
  };
}

function toRecord(options: readonly Option[] = []): Record<string, string> {
  for (const { append, append_action } of options) {
    if (append === undefined || append.value === true || append_action !== 'OVERWRITE_IF_EXISTS_OR_ADD')
      throw new Error('a field would be added to what the sender put there');
  }
  return Object.fromEntries(options.map(({ header }) => [header.key, header.value]));
}

/** Asks as a proxy does over HTTP; with an agent, over TLS. */
export function askHttp(
  port: number,
  headers: Readonly<Record<string, string | readonly string[]>>,
  path = '/authz',
  agent?: http.Agent,
): Promise<HttpAnswer> {
  return callHttp(`http${agent ? 's' : ''}://127.0.0.1:${port}`, {
    method: 'GET',
    path,
    headers: headers as Record<string, string>,
    body: '',
    ...(agent && { agent }),
  });
}

/** What nginx, Traefik and the others say of a request. */
export function forwarded(path: string = TRACES, peer = '192.0.2.7', method = 'POST') {
  return { 'x-forwarded-uri': path, 'x-forwarded-method': method, 'x-forwarded-for': peer };
}

/** The reason that a gRPC client would find. */
export function reasonIn(details: string | undefined): string | undefined {
  const status = decodeStatus(Buffer.from(details ?? '', 'base64'));
  const info = (status.details as Record<string, unknown>[]).find((each) =>
    String(each['@type']).endsWith('ErrorInfo'),
  );
  return info?.['reason'] as string | undefined;
}
