import * as http2 from 'node:http2';
import type { SecureContext } from 'node:tls';
import { GRPC_PATH } from '../scenarios.ts';

/**
 * One collector with a key of its own: a connection, a batch now and then, and the patience of a real one. It connects as grpc-go does
 * (waiting 1 s, 1.6 times longer each time, ±20 %) and keeps a batch as the Collector does (after 5 s, 1.5 times longer each time).
 */
export interface SenderOptions {
  /** Where gateways are, as a load balancer before them would know: they are tried in turn from `first` on. */
  readonly ports: readonly number[];
  readonly first: number;
  /** Whom to trust; one for all, which are many. */
  readonly trust: SecureContext;
  readonly key: string;
  readonly batch: Buffer;
  readonly everyMs: number;
}

/** What all senders count together. */
export interface Tally {
  connected: number;
  handshakes: number;
  failedConnects: number;
  made: number;
  accepted: number;
  /** Sent once more after a time: an answer that says so, or none. */
  retried: number;
  /** Dropped, as a Collector drops what is refused. */
  refused: number;
  /** From the making of a batch to its acceptance, in milliseconds, since it was last asked. */
  times: number[];
}

const CONNECT_MS = { first: 1_000, factor: 1.6, jitter: 0.2, max: 120_000 };
const RETRY_MS = { first: 5_000, factor: 1.5, max: 30_000 };
const CONNECT_TIMEOUT_MS = 20_000;
const CALL_TIMEOUT_MS = 10_000;
/** Answers after which OTLP asks for the same batch again. */
const RETRYABLE = new Set(['1', '4', '10', '11', '14', '15']);

interface Batch {
  readonly madeAt: number;
  tries: number;
}

export function startSender(options: SenderOptions, tally: Tally): void {
  const { ports, first, trust, key, batch: body, everyMs } = options;
  /** What waits for a connection: as a Collector's queue, of which nothing is lost while there is room. */
  const queue: Batch[] = [];
  let session: http2.ClientHttp2Session | undefined;
  let attempts = 0;

  function connect(): void {
    const port = ports[(first + attempts) % ports.length];
    const opened = http2.connect(`https://127.0.0.1:${port}`, {
      secureContext: trust,
      servername: 'localhost',
    });
    opened.setTimeout(CONNECT_TIMEOUT_MS, () => opened.destroy());
    opened.on('connect', () => {
      opened.setTimeout(0);
      session = opened;
      attempts = 0;
      tally.connected++;
      tally.handshakes++;
      for (const batch of queue.splice(0)) send(batch);
    });
    opened.on('error', () => undefined); // 'close' follows
    opened.on('goaway', () => opened.close());
    opened.on('close', () => {
      if (session === opened) {
        session = undefined;
        tally.connected--;
      } else {
        tally.failedConnects++;
      }
      const { first: firstMs, factor, jitter, max } = CONNECT_MS;
      const waitMs = Math.min(max, firstMs * factor ** Math.floor(attempts / ports.length));
      attempts++;
      setTimeout(connect, waitMs * (1 - jitter + 2 * jitter * Math.random()));
    });
  }

  function send(batch: Batch): void {
    if (session === undefined || session.closed) return void queue.push(batch);
    batch.tries++;
    const call = session.request({
      ':method': 'POST',
      ':path': GRPC_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'OpenTelemetry Collector',
      authorization: `StackState ${key}`,
    });
    let status = 'none';
    const hear = (fields: http2.IncomingHttpHeaders): void => {
      if (typeof fields['grpc-status'] === 'string') status = fields['grpc-status'];
    };
    call.setTimeout(CALL_TIMEOUT_MS, () => call.close(http2.constants.NGHTTP2_CANCEL));
    call.on('response', hear);
    call.on('trailers', hear);
    call.on('error', () => undefined); // 'close' follows
    call.on('close', () => end(batch, status));
    call.resume();
    call.end(body);
  }

  function end(batch: Batch, status: string): void {
    if (status === '0') {
      tally.accepted++;
      tally.times.push(performance.now() - batch.madeAt);
    } else if (status === 'none' || RETRYABLE.has(status)) {
      tally.retried++;
      const waitMs = Math.min(RETRY_MS.max, RETRY_MS.first * RETRY_MS.factor ** (batch.tries - 1));
      setTimeout(() => send(batch), waitMs * (0.5 + Math.random()));
    } else {
      tally.refused++;
    }
  }

  function make(): void {
    tally.made++;
    send({ madeAt: performance.now(), tries: 0 });
    setTimeout(make, everyMs);
  }

  connect();
  setTimeout(make, Math.random() * everyMs);
}
