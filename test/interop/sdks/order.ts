import { tmpdir } from 'node:os';
import { startProgram } from '../../support/program.ts';
import type { Scope } from '../../support/scope.ts';

/** What is asked of an SDK, and how a program that uses it is told: by OpenTelemetry's variables, and three words. */

const PROTOCOLS = ['grpc', 'http/protobuf', 'http/json'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface Order {
  /** Its spans and its log records are called by it: name-0, name-1 and so on; its counter is name.total. */
  readonly name: string;
  readonly count: number;
  /** Between one span and the next. */
  readonly pauseMs: number;
  readonly protocol: Protocol;
  readonly endpoint: string;
  /** As OTEL_EXPORTER_OTLP_HEADERS has it. */
  readonly header: string;
  /** PEM file of the authority of the gateway's certificate. */
  readonly ca: string;
}

/** An SDK that is at it. */
export interface Sending {
  /** It is set up: the first span comes now. */
  readonly begun: Promise<void>;
  /** All that it has said, once it has sent what it could and ended. */
  readonly ended: Promise<string>;
}

export type Send = (scope: Scope, order: Order) => Sending;

/** How long after its last span an SDK may still try to send. */
const LAST_TRIES_MS = 90_000;
const START_MS = 60_000;

export function limitOf({ count, pauseMs }: Order): number {
  return START_MS + count * pauseMs + LAST_TRIES_MS;
}

/** Batches leave every half second rather than every five, so that an outage of two seconds meets several. */
export const BATCH_DELAY_MS = 500;
const METRICS_INTERVAL_MS = 10_000;

function variables({ protocol, endpoint, header, ca }: Order): Readonly<Record<string, string>> {
  return {
    OTEL_SERVICE_NAME: 'interop',
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: header,
    OTEL_EXPORTER_OTLP_CERTIFICATE: ca,
    OTEL_BSP_SCHEDULE_DELAY: String(BATCH_DELAY_MS),
    OTEL_BLRP_SCHEDULE_DELAY: String(BATCH_DELAY_MS),
    OTEL_METRIC_EXPORT_INTERVAL: String(METRICS_INTERVAL_MS),
    OTEL_METRIC_EXPORT_TIMEOUT: String(METRICS_INTERVAL_MS),
  };
}

export interface Program {
  readonly command: readonly [program: string, ...args: string[]];
  /** Besides those that every SDK has: none of them says where to send, or as whom. */
  readonly variables?: (order: Order) => Readonly<Record<string, string>>;
}

/** What `run` does; it says when it begins. Nobody has to wait for either. */
export function sending(run: (begin: () => void) => Promise<string>): Sending {
  const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
  const ended = run(begin);
  const begun = Promise.race([hasBegun, ended.then(() => {})]);
  for (const each of [begun, ended]) each.catch(() => {});
  return { begun, ended };
}

/** `program <name> <count> <pause in ms>`: it prints "begun", makes its spans, flushes, and prints what came of it. */
export function sendBy({ command: [program, ...args], variables: more = () => ({}) }: Program): Send {
  return (scope, order) =>
    sending(async (begin) => {
      const { PATH = '', HOME = '', LANG = 'C.UTF-8' } = process.env;
      const command = [program, ...args, order.name, String(order.count), String(order.pauseMs)] as const;
      const limitMs = limitOf(order);
      const running = startProgram(scope, command, {
        cwd: tmpdir(),
        env: { PATH, HOME, LANG, ...variables(order), ...more(order) },
        limitMs,
      });
      running.until('it has begun', () => /^begun$/m.test(running.output()), limitMs).then(begin, () => {});
      const code = await running.ended;
      const said = running.output();
      if (code !== 0) throw new Error(`the program ended with ${code ?? 'a signal'}: ${said.slice(-500)}`);
      return said;
    });
}
