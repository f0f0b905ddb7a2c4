import * as http2 from 'node:http2';
import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { frame } from '../support/grpc-client.ts';
import type { Scope } from '../support/scope.ts';

export interface Sending {
  /** An address of this machine that it sends from. */
  readonly from: string;
  readonly program: string;
  readonly key: () => string;
  /** As fast as answers come if it is not said, so many at once. */
  readonly perSecond?: number | (() => number);
  readonly atOnce?: number;
  readonly signal?: 'traces' | 'metrics' | 'logs';
  /** Of each message; gateways do not look into them. */
  readonly bytes?: number;
}

const SERVICES = { traces: 'trace.v1.TraceService', metrics: 'metrics.v1.MetricsService', logs: 'logs.v1.LogsService' };

/** Sends over gRPC until it is told to stop, or its scope ends; what the answers are is the gateway's business. */
export function startSending(scope: Scope, address: string, sending: Sending): () => void {
  const { from, program, key, perSecond, atOnce = 1, signal = 'traces', bytes = 0 } = sending;
  const port = Number(address.split(':').at(-1));
  const end = new AbortController();
  const message = frame(Buffer.alloc(bytes));
  scope.after(() => end.abort());

  async function one(session: http2.ClientHttp2Session): Promise<void> {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/opentelemetry.proto.collector.${SERVICES[signal]}/Export`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': program,
      'x-api-key': key(),
    });
    stream.on('error', () => {});
    stream.end(message);
    stream.resume();
    await new Promise((resolve) => stream.once('close', resolve));
  }

  /** One that floods is asked to go now and then, and comes again. */
  async function go(): Promise<void> {
    while (!end.signal.aborted) {
      const session = http2.connect('http://keygate', {
        createConnection: () => net.connect({ host: '127.0.0.1', port, localAddress: from }),
      });
      session.on('error', () => {});
      const cut = (): void => session.destroy();
      end.signal.addEventListener('abort', cut);
      const loop = async (): Promise<void> => {
        while (!session.destroyed && !session.closed) {
          await one(session);
          const rate = typeof perSecond === 'function' ? perSecond() : perSecond;
          if (rate !== undefined) await delay(1_000 / rate);
        }
      };
      await Promise.all(Array.from({ length: atOnce }, loop));
      end.signal.removeEventListener('abort', cut);
      session.destroy();
      await delay(10);
    }
  }
  void go();
  return () => end.abort();
}
