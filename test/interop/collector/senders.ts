import { stringify } from 'yaml';
import type { Signal } from '../../../src/keys/record.ts';
import { readExample } from '../example.ts';

/** Ways in which a Collector sends to Keygate: each a row of the matrix, and a whole configuration. */
export interface SenderRow {
  readonly name: string;
  /** Which port of the gateway it is made for. */
  readonly over: 'TLS' | 'plaintext';
  readonly signals: readonly Signal[];
  /** Whether its log repeats what a refusal says. */
  readonly saysWhy: boolean;
  config(place: SenderPlace): string;
}

/** Where it is, and where everything is that it needs. Its key is in the environment, and in a file. */
export interface SenderPlace {
  readonly receiver: { readonly grpc: number; readonly http: number };
  readonly gateway: { readonly grpc: number; readonly http: number };
  readonly ca: string;
  readonly keyFile: string;
}

export const KEY_VARIABLE = 'INGESTION_API_KEY';
const KEY = `\${env:${KEY_VARIABLE}}`;
const THREE: readonly Signal[] = ['traces', 'metrics', 'logs'];
const ALL: readonly Signal[] = [...THREE, 'profiles'];

type Kind = 'otlp_grpc' | 'otlp_http';

/** A file of config/collector as it is, with the addresses of this machine in place of those in it. */
function example(
  name: string,
  file: string,
  exporter: Kind,
  more: (place: SenderPlace) => object = () => ({}),
): SenderRow {
  return {
    name,
    over: 'TLS',
    signals: THREE,
    saysWhy: true,
    config: (place) =>
      readExample('collector', file, {
        'localhost:4317': `127.0.0.1:${place.receiver.grpc}`,
        'localhost:4318': `127.0.0.1:${place.receiver.http}`,
        'keygate.example.com:4317': `127.0.0.1:${place.gateway.grpc}`,
        '/etc/otel/keygate-ca.crt': place.ca,
        'exporters: [otlp_grpc/keygate]': `exporters: [${exporter}/keygate]`,
        ...more(place),
      }),
  };
}

interface Made {
  readonly over: SenderRow['over'];
  readonly exporter: Kind;
  readonly compression: 'gzip' | 'zstd' | 'snappy' | 'none';
  /** How it says its key. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly auth?: Readonly<Record<string, object>>;
  readonly encoding?: 'json';
  readonly batches?: boolean;
}

/** Sooner than by default, so that a run does not take longer than what it shows; and for as long as it takes. */
const RETRY = { initial_interval: '1s', max_interval: '5s', max_elapsed_time: '0s' };

export function made(name: string, options: Made): SenderRow {
  const { over, exporter, compression, headers, auth = {}, encoding, batches = false } = options;
  const signals = batches ? THREE : ALL;
  const [authenticator] = Object.keys(auth);
  return {
    name,
    over,
    signals,
    saysWhy: encoding !== 'json',
    config: ({ receiver, gateway, ca }) =>
      stringify({
        extensions: auth,
        receivers: {
          otlp: {
            protocols: {
              grpc: { endpoint: `127.0.0.1:${receiver.grpc}` },
              http: { endpoint: `127.0.0.1:${receiver.http}` },
            },
          },
        },
        ...(batches && { processors: { batch: { timeout: '200ms' } } }),
        exporters: {
          [exporter]: {
            endpoint:
              exporter === 'otlp_http'
                ? `http${over === 'TLS' ? 's' : ''}://127.0.0.1:${gateway.http}`
                : `127.0.0.1:${gateway.grpc}`,
            tls: over === 'TLS' ? { ca_file: ca } : { insecure: true },
            compression,
            retry_on_failure: RETRY,
            ...(headers && { headers }),
            ...(authenticator !== undefined && { auth: { authenticator } }),
            ...(encoding && { encoding }),
          },
        },
        service: {
          extensions: Object.keys(auth),
          pipelines: Object.fromEntries(
            signals.map((signal) => [
              signal,
              { receivers: ['otlp'], ...(batches && { processors: ['batch'] }), exporters: [exporter] },
            ]),
          ),
        },
      }),
  };
}

const setter = (key: string, value: string) => ({ headers_setter: { headers: [{ action: 'upsert', key, value }] } });

/** It is the one whose key is rotated while it sends. */
export const TOKEN_FILE: SenderRow = example(
  'as in senders.md: bearertokenauth with a file, otlp_grpc, TLS, gzip',
  'token-file.yaml',
  'otlp_grpc',
  ({ keyFile }) => ({ '/etc/otel/ingestion-api-key': keyFile }),
);

const httpToo = ({ gateway }: SenderPlace) => ({ 'keygate.example.com:4318': `127.0.0.1:${gateway.http}` });

/** As in the README. */
export const README_ROWS: readonly SenderRow[] = [
  example('as in the README: bearertokenauth, otlp_grpc, TLS, gzip', 'keygate.yaml', 'otlp_grpc', httpToo),
  example('as in the README: bearertokenauth, otlp_http, TLS, gzip', 'keygate.yaml', 'otlp_http', httpToo),
];

export const ROWS: readonly SenderRow[] = [
  ...README_ROWS,
  TOKEN_FILE,
  made('bearertokenauth, otlp_http, plaintext, zstd', {
    over: 'plaintext',
    exporter: 'otlp_http',
    compression: 'zstd',
    auth: { bearertokenauth: { scheme: 'StackState', token: KEY } },
  }),
  made('headers: x-api-key, otlp_grpc, plaintext, snappy', {
    over: 'plaintext',
    exporter: 'otlp_grpc',
    compression: 'snappy',
    headers: { 'x-api-key': KEY },
  }),
  made('headers: x-api-key, otlp_http in JSON, plaintext, uncompressed', {
    over: 'plaintext',
    exporter: 'otlp_http',
    compression: 'none',
    encoding: 'json',
    headers: { 'x-api-key': KEY },
  }),
  made('headers: Authorization, otlp_http in JSON, TLS, gzip', {
    over: 'TLS',
    exporter: 'otlp_http',
    compression: 'gzip',
    encoding: 'json',
    headers: { Authorization: `ApiKey ${KEY}` },
  }),
  made('headers: Authorization, otlp_grpc, TLS, uncompressed, batch processor', {
    over: 'TLS',
    exporter: 'otlp_grpc',
    compression: 'none',
    headers: { authorization: `Bearer ${KEY}` },
    batches: true,
  }),
  made('headers_setter, otlp_grpc, plaintext, zstd', {
    over: 'plaintext',
    exporter: 'otlp_grpc',
    compression: 'zstd',
    auth: setter('Authorization', `StackState ${KEY}`),
  }),
  made('headers_setter, otlp_http, TLS, snappy', {
    over: 'TLS',
    exporter: 'otlp_http',
    compression: 'snappy',
    auth: setter('X-API-Key', KEY),
  }),
];
