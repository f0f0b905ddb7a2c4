import { createToUpstream } from '../../src/headers.ts';
import { createHttp2Upstream } from '../../src/plane/wire/http2/pool.ts';
import type { Http2UpstreamOptions } from '../../src/plane/wire/http2/pool.ts';
import type {
  AnswerHead,
  Caller,
  OnwardHead,
  Upstream,
  UpstreamCall,
  UpstreamPool,
} from '../../src/plane/wire/upstream-call.ts';
import { createEndpoints } from '../../src/upstream/endpoints.ts';
import type { Resolve } from '../../src/upstream/resolver.ts';
import type { UpstreamReason } from '../../src/upstream/faults.ts';
import { parseTarget } from '../../src/upstream/target.ts';
import { frame, TRACES_PATH } from './grpc-client.ts';
import type { Scope } from './scope.ts';
import { newRecord } from './stores.ts';

const CHECK_MS = 20;
const KEY = newRecord({ id: '7', name: 'seven' });
export const HEAD: OnwardHead = {
  protocol: 'grpc',
  method: 'POST',
  path: TRACES_PATH,
  fields: ['content-type', 'application/grpc', 'x-api-key', 'secret', 'user-agent', 'test'],
  onward: undefined,
};

export type UpstreamTestOptions = Partial<Http2UpstreamOptions> & { readonly resolve?: Resolve };

/** The side of the wire plane that faces a collector, without the other one. */
export function openUpstream(t: Scope, url: string, options: UpstreamTestOptions = {}): UpstreamPool {
  const target = parseTarget(url);
  const { resolve } = options;
  const endpoints = createEndpoints({
    target,
    resolveIntervalMs: 30_000,
    now: () => performance.now(),
    random: Math.random,
    ...(resolve ? { resolve } : {}),
  });
  const upstream = createHttp2Upstream({
    target,
    tls: { ca: undefined, cert: undefined, key: undefined },
    endpoints,
    toUpstream: createToUpstream({ carriers: ['x-api-key'], tenantHeader: undefined }),
    connectTimeoutMs: 2_000,
    ...options,
  });
  const ticking = setInterval(() => upstream.check(performance.now()), CHECK_MS);
  t.after(() => {
    upstream.close();
    endpoints.close();
    clearInterval(ticking);
  });
  return upstream;
}

/** What a caller was told, in the order in which it was told. */
export class RecordedCall implements Caller {
  readonly told: string[] = [];
  head: AnswerHead | undefined;
  varying: readonly string[] = [];
  trailers: AnswerHead | undefined;
  body = Buffer.alloc(0);
  takenBytes = 0;
  reason: UpstreamReason | undefined;
  call: UpstreamCall | undefined;
  /** Whether it takes what comes; otherwise the test has to release it. */
  reads = true;
  readonly #ended = Promise.withResolvers<this>();

  /** Resolves when nothing more is to come. */
  get ended(): Promise<this> {
    return this.#ended.promise;
  }

  get grpcStatus(): number | undefined {
    return (this.trailers ?? this.head)?.grpcStatus;
  }

  taken(bytes: number): void {
    this.takenBytes += bytes;
  }

  answered(head: AnswerHead, varying: readonly string[], ends: boolean): void {
    this.#tell(ends ? 'whole' : 'head', ends);
    this.head = head;
    this.varying = varying;
  }

  answerBytes(piece: Buffer, ends: boolean): void {
    this.#tell('bytes', ends);
    this.body = Buffer.concat([this.body, piece]);
    if (this.reads) this.call?.release(piece.length);
  }

  answerTrailers(trailers: AnswerHead): void {
    this.#tell('trailers', true);
    this.trailers = trailers;
  }

  failed(reason: UpstreamReason): void {
    this.#tell('failed', true);
    this.reason = reason;
  }

  #tell(what: string, ends: boolean): void {
    if (/failed|whole|trailers/.test(this.told.at(-1) ?? '')) throw new Error(`told ${what} after the end`);
    if (this.told.at(-1) !== what || what !== 'bytes') this.told.push(what);
    if (ends) this.#ended.resolve(this);
  }
}

export interface TestRequest {
  readonly head?: OnwardHead;
  readonly varying?: readonly string[];
  readonly bodyLength?: number;
}

/** Opens a call; nothing of its body is written. */
export function openCall(upstream: Upstream, request: TestRequest = {}): RecordedCall {
  const recorded = new RecordedCall();
  const { head = HEAD, varying = [], bodyLength } = request;
  const call = upstream.open({ head, key: KEY, varying, bodyLength }, recorded);
  if (typeof call === 'string') recorded.failed(call);
  else recorded.call = call;
  return recorded;
}

export const MESSAGE = frame(Buffer.from('telemetry'));

/** A whole request. */
export function send(upstream: Upstream, body: Buffer = MESSAGE, request: TestRequest = {}): RecordedCall {
  const recorded = openCall(upstream, request);
  recorded.call?.write(body, true);
  return recorded;
}
