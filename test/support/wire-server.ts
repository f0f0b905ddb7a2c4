import * as http from 'node:http';
import type * as net from 'node:net';
import { planeLimits } from '../../src/plane-options.ts';
import { configSchema } from '../../src/config/schema.ts';
import { createDigester } from '../../src/credential/digest.ts';
import { createKeyText } from '../../src/credential/key-text.ts';
import { createCredentialReader } from '../../src/credential/read.ts';
import { createGate } from '../../src/gate.ts';
import { UNKNOWN } from '../../src/keys/answer.ts';
import type { KeyAnswer } from '../../src/keys/answer.ts';
import { createCors } from '../../src/plane/cors.ts';
import type { PlaneLimits, RequestReport } from '../../src/plane/plane.ts';
import { createGrpcRoutes, createHttpRoutes } from '../../src/plane/routes.ts';
import type { BudgetName } from '../../src/plane/wire/budgets.ts';
import { createDoor } from '../../src/plane/wire/door.ts';
import { HeldBytes } from '../../src/plane/wire/held-bytes.ts';
import { Http1ServerConnection } from '../../src/plane/wire/http1/server-connection.ts';
import type { Http1Context } from '../../src/plane/wire/http1/server-connection.ts';
import { NamesInBlocks } from '../../src/plane/wire/http2/block-walk.ts';
import { Http2ServerConnection } from '../../src/plane/wire/http2/server-connection.ts';
import { Roster } from '../../src/plane/wire/roster.ts';
import type { Relay } from '../../src/plane/wire/relay.ts';
import { createHeadReader, toWireRoutes } from '../../src/plane/wire/request-head.ts';
import type { ServerConnection } from '../../src/plane/wire/server-connection.ts';
import { createIsVarying, varyingNames } from '../../src/plane/wire/varying.ts';
import { openTransport } from '../../src/plane/wire/transport.ts';
import type { Caller, OnwardRequest, Upstream, UpstreamCall } from '../../src/plane/wire/upstream-call.ts';
import type { UpstreamReason } from '../../src/upstream/faults.ts';
import type { Scope } from './scope.ts';
import { digestOf, newRecord, origins } from './stores.ts';

/** The side of the wire plane that faces the senders, on a real port, before a collector that is an object of the test. */
export interface WireServer {
  readonly port: number;
  readonly url: string;
  readonly key: string;
  readonly keyId: string;
  /** What the store says of the key. */
  readonly known: KeyAnswer;
  readonly calls: readonly CollectorCall[];
  readonly reports: readonly RequestReport[];
  /** "budget how", in the order in which it was told. */
  readonly spent: readonly string[];
  readonly connections: ReadonlySet<ServerConnection>;
  readonly underWay: Roster<Relay>;
  readonly held: HeldBytes;
  /** What came with each connection that was handed over, where "library" is the answer to everything. */
  readonly handedOver: readonly string[];
  readonly context: Http1Context;
  /** Takes a connection that did not come by the door. */
  serve(socket: net.Socket, protocol: 'http1' | 'http2'): void;
  drain(): void;
  /** As much as a request is given up when the gateway can wait no longer. */
  interrupt(): void;
}

export interface WireServerOptions {
  readonly limits?: Partial<PlaneLimits>;
  /** Pages that may send. */
  readonly origins?: readonly string[];
  /** What becomes of a call; by default it is answered with its own body. */
  readonly onCall?: (call: CollectorCall) => void;
  /** Why no call is taken at all. */
  readonly unavailable?: UpstreamReason;
  /** Bodies are not taken. */
  readonly takesNothing?: boolean;
  /** The store's answer for the key, if it has to be waited for. */
  readonly lookup?: () => KeyAnswer | Promise<KeyAnswer>;
  /** What is behind OTLP over HTTP, instead of calls that the test answers. */
  readonly http?: Upstream;
  readonly grpc?: Upstream;
  /** What is behind the route that is read. */
  readonly remoteConfig?: Upstream;
}

/** A request as the collector has it. */
export class CollectorCall implements UpstreamCall {
  readonly request: OnwardRequest;
  readonly caller: Caller;
  readonly pieces: Buffer[] = [];
  releasedBytes = 0;
  isWhole = false;
  isCancelled = false;
  isOverdue = false;
  private readonly whole = Promise.withResolvers<Buffer>();
  private readonly takes: boolean;

  constructor(request: OnwardRequest, caller: Caller, takes: boolean) {
    this.request = request;
    this.caller = caller;
    this.takes = takes;
  }

  /** Resolves with the body once it is all there. */
  get body(): Promise<Buffer> {
    return this.whole.promise;
  }

  get bytes(): number {
    return this.pieces.reduce((sum, { length }) => sum + length, 0);
  }

  write(piece: Buffer, ends: boolean): void {
    if (this.isWhole) throw new Error('written after the end');
    this.pieces.push(Buffer.from(piece));
    if (this.takes && piece.length > 0) this.caller.taken(piece.length);
    if (!ends) return;
    this.isWhole = true;
    this.whole.resolve(Buffer.concat(this.pieces));
  }

  release(bytes: number): void {
    this.releasedBytes += bytes;
  }

  cancel(isOverdue = false): void {
    this.isCancelled = true;
    this.isOverdue = isOverdue;
  }

  /** Answers as its protocol wants it. */
  answer(body: Buffer, pieceBytes = 16_384): void {
    const isGrpc = this.request.head.protocol === 'grpc';
    const type = isGrpc ? 'application/grpc' : 'application/x-protobuf';
    this.caller.answered(answerHead(200, ['content-type', type]), [], false);
    for (let at = 0; at < body.length; at += pieceBytes) {
      const piece = body.subarray(at, at + pieceBytes);
      this.caller.answerBytes(piece, !isGrpc && at + pieceBytes >= body.length);
    }
    if (isGrpc) this.caller.answerTrailers(answerHead(0, ['grpc-status', '0']), []);
    else if (body.length === 0) this.caller.answerBytes(body, true);
  }
}

export function answerHead(status: number, fields: readonly string[]) {
  const value = (name: string): string | undefined => fields[fields.indexOf(name) + 1];
  const grpcStatus = fields.includes('grpc-status') ? Number(value('grpc-status')) : undefined;
  const isGrpc = fields.includes('content-type') && value('content-type') === 'application/grpc';
  return { status, isGrpc, grpcStatus, fields, asBlock: undefined };
}

const CHECK_MS = 50;

export async function startWireServer(t: Scope, options: WireServerOptions = {}): Promise<WireServer> {
  const config = configSchema.parse({});
  const limits: PlaneLimits = { ...planeLimits(config), ...options.limits };
  const key = createKeyText('ingestion');
  const record = newRecord({ digest: digestOf(key) });
  const known: KeyAnswer = { kind: 'known', record };
  const carriers = config.keys.carriers;
  const calls: CollectorCall[] = [];
  const reports: RequestReport[] = [];
  const spent: string[] = [];
  const connections = new Set<ServerConnection>();
  const underWay = new Roster<Relay>();
  const held = new HeldBytes(limits);
  let isDraining = false;

  const gate = createGate({
    readCredential: createCredentialReader(config.keys),
    digest: createDigester({}),
    lookup: ({ digest }) => {
      if (digest !== record.digest) return UNKNOWN;
      return options.lookup?.() ?? known;
    },
    now: Date.now,
  });
  const onCall = options.onCall ?? ((call: CollectorCall) => void call.body.then((body) => call.answer(body)));
  const upstream: Upstream = {
    open(request, caller) {
      if (options.unavailable !== undefined) return options.unavailable;
      const call = new CollectorCall(request, caller, options.takesNothing !== true);
      calls.push(call);
      setImmediate(() => onCall(call));
      return call;
    },
    close() {},
  };
  const handedOver: string[] = [];
  const library = http.createServer((_request, response) => response.end('library'));
  const context: Http1Context = {
    gate,
    limits,
    observer: {
      started: () => {},
      ended: (report) => void reports.push(report),
      connections: () => {},
      turnedAway: () => {},
    },
    debit: () => {},
    underWay,
    held,
    readHead: createHeadReader({
      gate,
      grpcRoutes: toWireRoutes(createGrpcRoutes([]), options.grpc ?? upstream),
      httpRoutes: createHttpRoutes<Upstream>({
        otlp: options.http ?? upstream,
        rum: undefined,
        remoteConfig: options.remoteConfig && { paths: ['/remote-config'], forward: options.remoteConfig },
        agent: { paths: [], forward: undefined },
      }),
    }),
    cors: options.origins && createCors({ origins: origins(...options.origins), maxAgeMs: 600_000 }, carriers),
    connections,
    budgetSpent: (budget: BudgetName, how) => void spent.push(`${budget} ${how}`),
    draining: () => isDraining,
    isVarying: createIsVarying(carriers, undefined),
    varyingInBlocks: new NamesInBlocks(varyingNames(carriers, undefined)),
    handOver(transport, unread) {
      handedOver.push(unread.toString('latin1'));
      library.emit('connection', transport.toSocket(unread));
    },
  };
  const door = createDoor({
    listener: { host: '127.0.0.1', port: 0, tls: undefined },
    limits,
    serve(transport, protocol, first) {
      const Connection = protocol === 'http1' ? Http1ServerConnection : Http2ServerConnection;
      new Connection(transport, context).onBytes(first);
    },
    onConnections: () => {},
    onTurnedAway: () => {},
  });
  const ticking = setInterval(() => {
    const nowMs = performance.now();
    door.check(nowMs);
    for (const relay of underWay) relay.check(nowMs);
    for (const connection of connections) connection.check(nowMs);
  }, CHECK_MS);
  const address: net.AddressInfo = await door.listen();
  t.after(() => {
    door.shut();
    door.destroy();
    clearInterval(ticking);
    for (const connection of connections) connection.destroy();
    library.closeAllConnections();
  });
  return {
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    key,
    keyId: record.id,
    known,
    calls,
    reports,
    spent,
    connections,
    underWay,
    held,
    handedOver,
    context,
    serve(socket, protocol) {
      const Connection = protocol === 'http1' ? Http1ServerConnection : Http2ServerConnection;
      new Connection(openTransport(socket), context);
    },
    drain() {
      isDraining = true;
      for (const connection of connections) connection.drain();
    },
    interrupt() {
      for (const relay of underWay) relay.interrupt();
    },
  };
}
