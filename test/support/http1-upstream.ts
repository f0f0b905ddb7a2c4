import * as net from 'node:net';
import type { TestContext } from 'node:test';
import * as tls from 'node:tls';
import { configSchema } from '../../src/config/schema.ts';
import { createToUpstream } from '../../src/headers.ts';
import { createHttp1Upstream } from '../../src/plane/wire/http1/pool.ts';
import type { Http1UpstreamOptions } from '../../src/plane/wire/http1/pool.ts';
import type { OnwardRequest, UpstreamCall, UpstreamPool } from '../../src/plane/wire/upstream-call.ts';
import { createEndpoints } from '../../src/upstream/endpoints.ts';
import { parseTarget } from '../../src/upstream/target.ts';
import { onwardRequest, RecordingCaller } from './caller.ts';
import type { Scope } from './scope.ts';
import { listen } from './transports.ts';
import { until } from './wait.ts';

const CHECK_MS = 50;

/** The pool of the wire plane before a collector at this URL. */
export function startHttp1Upstream(t: Scope, url: string, options: Partial<Http1UpstreamOptions> = {}): UpstreamPool {
  const target = parseTarget(url);
  const endpoints = createEndpoints({
    target,
    resolveIntervalMs: 30_000,
    now: () => performance.now(),
    random: Math.random,
  });
  const upstream = createHttp1Upstream({
    target,
    tls: { ca: undefined, cert: undefined, key: undefined },
    endpoints,
    toUpstream: createToUpstream({ carriers: configSchema.parse({}).keys.carriers, tenantHeader: undefined }),
    connectTimeoutMs: 2_000,
    ...options,
  });
  const checking = setInterval(() => upstream.check(performance.now()), CHECK_MS);
  t.after(() => {
    clearInterval(checking);
    upstream.close();
    endpoints.close();
  });
  return upstream;
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
export const EMPTY = Buffer.alloc(0);

/** A collector on bare TCP that hears of the end of each head. */
export class RawCollector {
  readonly sockets: net.Socket[] = [];
  received = '';
  readonly server: net.Server;
  port = 0;

  constructor(t: TestContext, server: net.Server = net.createServer(), onRequest?: (socket: net.Socket) => void) {
    this.server = server;
    server.on(server instanceof tls.Server ? 'secureConnection' : 'connection', (socket: net.Socket) => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      let seen = '';
      socket.on('data', (chunk: Buffer) => {
        this.received += chunk.toString('latin1');
        seen += chunk.toString('latin1');
        while (seen.includes('\r\n\r\n')) {
          seen = seen.slice(seen.indexOf('\r\n\r\n') + 4);
          onRequest?.(socket);
        }
        seen = seen.slice(-3);
      });
    });
    t.after(() => {
      for (const socket of this.sockets) socket.destroy();
    });
  }

  get open(): number {
    return this.sockets.filter(({ destroyed }) => !destroyed).length;
  }
}

export interface PoolBefore {
  readonly collector: RawCollector;
  readonly upstream: UpstreamPool;
  send(request?: Partial<OnwardRequest>, body?: Buffer): { caller: RecordingCaller; call: UpstreamCall };
}

export async function startPool(
  t: TestContext,
  onRequest: (socket: net.Socket) => void = (socket) => void socket.write(OK),
  options: Partial<Http1UpstreamOptions> = {},
): Promise<PoolBefore> {
  const collector = new RawCollector(t, net.createServer(), onRequest);
  const port = await listen(t, collector.server);
  const upstream = startHttp1Upstream(t, `http://127.0.0.1:${port}`, options);
  return { collector, upstream, send: (request, body) => send(upstream, request, body) };
}

export function send(upstream: UpstreamPool, request: Partial<OnwardRequest> = {}, body: Buffer = EMPTY) {
  const caller = new RecordingCaller();
  const call = upstream.open(onwardRequest({ bodyLength: body.length, ...request }), caller);
  if (typeof call === 'string') throw new Error(call);
  call.write(body, true);
  return { caller, call };
}

export const over = ({ caller }: { caller: RecordingCaller }) => until('it is over', () => caller.isOver);
