import { setTimeout as delay } from 'node:timers/promises';
import { batchName } from './batch.ts';
import { CLIENTS } from './clients.ts';
import type { ClientKind, Delivery } from './clients.ts';

/**
 * A process of its own: `load <what it is to send, as JSON>`. Each client sends so many batches in a second, whether or not those before were
 * answered, until SIGTERM; it ends when all are decided. What became of each is told in JSON lines.
 */
export interface LoadOrder {
  readonly clients: readonly {
    readonly name: string;
    readonly kind: ClientKind;
    readonly url: string;
    readonly perSecond: number;
  }[];
  readonly key: string;
}

export interface Told extends Delivery {
  readonly client: string;
  readonly number: number;
  /** When it was sent, by the clock, which other processes have too. */
  readonly atMs: number;
  readonly tookMs: number;
}

const TICK_MS = 10;
const TELL_MS = 100;
/** Of one client: beyond it nothing new is sent, and the rate that was reached says so. */
const MAX_UNDER_WAY = 200;

const order = JSON.parse(process.argv[2] ?? '{}') as LoadOrder;
let told: Told[] = [];
const stop = new AbortController();

function tell(): void {
  if (told.length > 0) process.stdout.write(`${JSON.stringify(told)}\n`);
  told = [];
}

async function run({ name, kind, url, perSecond }: LoadOrder['clients'][number]): Promise<void> {
  const send = CLIENTS[kind]({ url, key: order.key });
  const startedAt = performance.now();
  let underWay = 0;
  let number = 0;

  async function sendOne(): Promise<void> {
    const batch = { client: name, number: number++ };
    const [atMs, sentAt] = [Date.now(), performance.now()];
    underWay += 1;
    const delivery = await send(batchName(batch));
    underWay -= 1;
    told.push({ ...batch, ...delivery, atMs, tookMs: performance.now() - sentAt });
  }

  let due = 0;
  let seenAt = startedAt;
  while (!stop.signal.aborted || underWay > 0) {
    await delay(TICK_MS);
    const now = performance.now();
    // A moment without the processor is not made up for by a burst.
    due = Math.min(due + ((now - seenAt) * perSecond) / 1_000, Math.max(1, perSecond / 10));
    seenAt = now;
    for (; due >= 1 && !stop.signal.aborted && underWay < MAX_UNDER_WAY; due--) void sendOne();
  }
}

process.once('SIGTERM', () => stop.abort());
const telling = setInterval(tell, TELL_MS);
await Promise.all(order.clients.map(run));
clearInterval(telling);
tell();
process.stdout.write('"done"\n', () => process.exit());
