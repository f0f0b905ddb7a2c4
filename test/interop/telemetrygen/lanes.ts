import type { Arrival } from '../../support/collector.ts';
import { startProgram } from '../../support/program.ts';
import type { Scope } from '../../support/scope.ts';
import type { SdkSignal } from '../../support/telemetry.ts';
import { arrivedNames } from '../sdks/account.ts';

/** telemetrygen, with one signal over one protocol. */
export interface Parts {
  readonly signal: SdkSignal;
  readonly protocol: 'grpc' | 'http/protobuf';
}

const PARTS = {
  'traces, gRPC': { signal: 'traces', protocol: 'grpc' },
  'traces, HTTP': { signal: 'traces', protocol: 'http/protobuf' },
  'metrics, gRPC': { signal: 'metrics', protocol: 'grpc' },
  'metrics, HTTP': { signal: 'metrics', protocol: 'http/protobuf' },
  'logs, gRPC': { signal: 'logs', protocol: 'grpc' },
  'logs, HTTP': { signal: 'logs', protocol: 'http/protobuf' },
} as const satisfies Record<string, Parts>;

export type Lane = keyof typeof PARTS;
export const LANES = Object.keys(PARTS) as readonly Lane[];

export function protocolOf(lane: Lane): Parts['protocol'] {
  return PARTS[lane].protocol;
}

export interface Load {
  readonly lane: Lane;
  /** Spans, metrics or log records. */
  readonly items: number;
  readonly endpoint: string;
  readonly key: string;
  /** PEM file of the authority of the gateway's certificate. */
  readonly ca: string;
}

const ITEMS_A_SECOND = 20;
export const BATCH = 5;
const SPANS_IN_A_TRACE = 2;
/** The longest load takes 10 s where nothing is away, and 45 s where each of six batches has to wait. */
const LIMIT_MS = 180_000;

export interface Ended {
  /** null: it was killed, because it took too long. */
  readonly code: number | null;
  /** Without its configuration, which has the key in it, and without what grpc-go says between its tries. */
  readonly said: string;
}

const UNSAID = /with configuration|"grpc_log": true/;

/** One run of it, to its end. Nothing in its environment tells it where to send, or as whom. */
export async function generate(
  scope: Scope,
  program: string,
  { lane, items, endpoint, key, ca }: Load,
): Promise<Ended> {
  const { signal, protocol } = PARTS[lane];
  const amount = signal === 'traces' ? items / SPANS_IN_A_TRACE : items;
  const { PATH = '', HOME = '' } = process.env;
  const what = [`--${signal}`, String(amount), '--rate', String(ITEMS_A_SECOND), '--batch-size', String(BATCH)];
  const where = ['--otlp-endpoint', new URL(endpoint).host, ...(protocol === 'grpc' ? [] : ['--otlp-http'])];
  const whom = ['--otlp-header', `x-api-key="${key}"`, '--ca-cert', ca];
  const command = [program, signal, ...what, ...where, ...whom] as const;
  const running = startProgram(scope, command, { env: { PATH, HOME }, limitMs: LIMIT_MS });
  const code = await running.ended;
  const lines = running.output().split('\n');
  return { code, said: lines.filter((line) => !UNSAID.test(line)).join('\n') };
}

/** How many of its items have arrived. Nothing tells two of them apart, but each batch of them has its own times. */
export function arrivedOf(lane: Lane, arrivals: readonly Arrival[]): number {
  const { signal, protocol } = PARTS[lane];
  const batches = arrivals
    .filter((arrival) => protocol.startsWith(arrival.protocol))
    .map((arrival) => ({ arrival, items: arrivedNames([arrival], signal).length }))
    .filter(({ items }) => items > 0);
  const distinct = new Set(batches.map(({ arrival }) => arrival.bodySha256));
  if (distinct.size < batches.length) throw new Error(`${batches.length - distinct.size} batches arrived twice`);
  return batches.reduce((sum, { items }) => sum + items, 0);
}
