import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Signal } from '../../../src/keys/record.ts';
import { HTTP_ROUTES } from '../../../src/plane/otlp-paths.ts';
import { batchName, otlpRequest } from '../../rolling/batch.ts';
import { findPort } from '../../support/ports.ts';
import type { Scope } from '../../support/scope.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { startOtelcol } from './otelcol.ts';
import type { Otelcol } from './otelcol.ts';
import { KEY_VARIABLE } from './senders.ts';
import type { SenderPlace, SenderRow } from './senders.ts';

/** Collectors that send, one for each row, and what is fed to them. */

export interface Sender {
  /** Its place in its fleet. */
  readonly id: number;
  readonly row: SenderRow;
  readonly otelcol: Otelcol;
  /** Has its file hold another key. */
  rewriteKey(key: string): Promise<void>;
  /** Hands it a batch as an application does; false if it does not take it. */
  feed(name: string, signal: Signal): Promise<boolean>;
}

export interface FleetOptions {
  readonly program: string;
  readonly rows: readonly SenderRow[];
  readonly gatewayFor: (row: SenderRow) => SenderPlace['gateway'];
  readonly keyFor: (row: SenderRow) => string;
  readonly ca: string;
}

export async function startFleet(t: Scope, options: FleetOptions): Promise<Sender[]> {
  return Promise.all(options.rows.map((_row, id) => startSender(t, id, options)));
}

async function startSender(t: Scope, id: number, options: FleetOptions): Promise<Sender> {
  const row = options.rows[id] as SenderRow;
  const receiver = { grpc: await findPort(), http: await findPort() };
  const keyFile = join(await temporaryDirectory(t), 'key');
  const key = options.keyFor(row);
  await writeFile(keyFile, key);
  const config = row.config({ receiver, gateway: options.gatewayFor(row), ca: options.ca, keyFile });
  const otelcol = await startOtelcol(t, options.program, config, { [KEY_VARIABLE]: key });
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.after(() => agent.destroy());
  return {
    id,
    row,
    otelcol,
    rewriteKey: (next) => writeFile(keyFile, next),
    feed: (name, signal) => post(agent, receiver.http, PATHS[signal], otlpRequest(name, signal)),
  };
}

const PATHS = Object.fromEntries(Array.from(HTTP_ROUTES, ([path, signal]) => [signal, path])) as Record<Signal, string>;
const TAKEN_WITHIN_MS = 10_000;

function post(agent: Agent, port: number, path: string, body: Buffer): Promise<boolean> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length };
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path, method: 'POST', agent, headers, timeout: TAKEN_WITHIN_MS });
    sent.on('error', () => resolve(false));
    sent.on('timeout', () => sent.destroy(new Error('not taken in time')));
    sent.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode === 200)));
    sent.end(body);
  });
}

/** Batches that one situation feeds to some senders; their names say to whom, and in which. */
export class Load {
  readonly #situation: string;
  readonly #taken = new Map<SenderRow, string[]>();
  #number = 0;
  #notTaken = 0;

  constructor(situation: string) {
    this.#situation = situation;
  }

  /** What this sender has taken so far: all of it has to arrive. */
  taken(row: SenderRow): readonly string[] {
    return this.#taken.get(row) ?? [];
  }

  get notTaken(): number {
    return this.#notTaken;
  }

  /** In the names of its batches. */
  clientOf({ id }: Sender, signal: Signal): string {
    return `${this.#situation}.${id}.${signal}`;
  }

  async feed(sender: Sender, signal: Signal): Promise<void> {
    const { row } = sender;
    const name = batchName({ client: this.clientOf(sender, signal), number: ++this.#number });
    if (!(await sender.feed(name, signal))) {
      this.#notTaken += 1;
      return;
    }
    const taken = this.#taken.get(row);
    if (taken === undefined) this.#taken.set(row, [name]);
    else taken.push(name);
  }

  /** So many of each signal to each sender, one after the other. */
  async feedAll(senders: readonly Sender[], count: number): Promise<void> {
    await Promise.all(
      senders.map(async (sender) => {
        for (let n = 0; n < count; n++) for (const signal of sender.row.signals) await this.feed(sender, signal);
      }),
    );
  }

  /** Five traces a second to each sender, and one of each other signal, until it is stopped. */
  async feedUntil(senders: readonly Sender[], stopped: AbortSignal): Promise<void> {
    await Promise.all(
      senders.map(async (sender) => {
        for (let tick = 0; !stopped.aborted; tick++) {
          const due = sender.row.signals.filter((signal) => signal === 'traces' || tick % TRACES_PER_SECOND === 0);
          await Promise.all([...due.map((signal) => this.feed(sender, signal)), delay(1_000 / TRACES_PER_SECOND)]);
        }
      }),
    );
  }
}

const TRACES_PER_SECOND = 5;
