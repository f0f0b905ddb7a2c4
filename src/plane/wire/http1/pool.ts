import type { ConnectionOptions } from 'node:tls';
import type { ToUpstream } from '../../../headers.ts';
import type { Endpoint } from '../../../upstream/endpoint.ts';
import type { Endpoints } from '../../../upstream/endpoints.ts';
import type { UpstreamReason } from '../../../upstream/faults.ts';
import { authority } from '../../../upstream/target.ts';
import type { UpstreamTarget, UpstreamTls } from '../../../upstream/target.ts';
import { tlsOptions } from '../../../upstream/tls-options.ts';
import { onwardBytes } from '../request-head.ts';
import type { Transport } from '../transport.ts';
import type { Caller, OnwardHead, OnwardRequest, UpstreamCall, UpstreamPool } from '../upstream-call.ts';
import { CHUNKED_LINE, fieldLines, writeLength, writeText } from './answer-lines.ts';
import { ClientCall } from './client-call.ts';
import type { CallOwner } from './client-call.ts';
import { ClientConnection } from './client-connection.ts';
import type { ConnectionOwner } from './client-connection.ts';
import { HeadMemo } from './head-memo.ts';
import type { KnownAnswer } from './read-answer.ts';

export interface Http1UpstreamOptions {
  readonly target: UpstreamTarget;
  readonly tls: UpstreamTls;
  readonly endpoints: Endpoints;
  readonly toUpstream: ToUpstream;
  /** To connect, and for a connection to become free. */
  readonly connectTimeoutMs: number;
  /** Those in use, to all addresses together. Requests above that number wait for one. */
  readonly maxConnections?: number;
  /** Hears why a connection could not be opened or broke, once for each cause. */
  readonly connectionFailed?: (endpoint: Endpoint, why: string) => void;
}

const MAX_CONNECTIONS = 1_024;
/** Requests that wait for a connection. */
const MAX_WAITING = 1_024;
/** Connections that are kept for later, to all addresses together. */
const MAX_IDLE = 256;
/** How long they are kept if the collector does not say: Node's servers close theirs after 5 s, most others later. */
const IDLE_MS = 4_000;
/** A collector that says when it will close is believed, less the time a request may take to get there. */
const IDLE_SLACK_MS = 1_000;

/** Connections over HTTP/1.1 to one target: those that are idle are used again, the last one first. */
export function createHttp1Upstream(options: Http1UpstreamOptions): UpstreamPool {
  return new Http1Pool(options);
}

class Http1Pool implements UpstreamPool, CallOwner, ConnectionOwner {
  readonly memo = new HeadMemo<KnownAnswer>({ listsLength: true });
  readonly #options: Http1UpstreamOptions;
  readonly #maxConnections: number;
  readonly #tls: ConnectionOptions | undefined;
  readonly #hostLine: string;
  readonly #idle = new Map<Endpoint, ClientConnection[]>();
  readonly #inUse = new Set<ClientConnection>();
  /** In the order in which they came. */
  readonly #waiting = new Set<ClientCall>();
  /** What was wrong last at each address: in an outage each attempt has the same cause. */
  readonly #faults = new Map<Endpoint, string>();
  #idleCount = 0;
  #nowMs = performance.now();
  #isClosed = false;

  constructor(options: Http1UpstreamOptions) {
    const { target, tls, endpoints, maxConnections = MAX_CONNECTIONS } = options;
    this.#options = options;
    this.#maxConnections = maxConnections;
    this.#tls = target.secure ? tlsOptions(target, tls, 'http/1.1') : undefined;
    this.#hostLine = `host: ${authority(target)}\r\n`;
    endpoints.onChange((change, endpoint) => {
      if (change === 'added') return this.#serveWaiting();
      this.#faults.delete(endpoint);
      this.#closeIdle(endpoint);
    });
  }

  open(request: OnwardRequest, caller: Caller): UpstreamCall | UpstreamReason {
    if (this.#isClosed) return 'upstream_unavailable';
    const call = new ClientCall(this, request, caller);
    return this.#place(call) ?? call;
  }

  /** Finds a connection for it, or a place to wait for one; or says why there is none. */
  #place(call: ClientCall, except?: Endpoint): UpstreamReason | undefined {
    const { endpoints, connectTimeoutMs } = this.#options;
    if (this.#inUse.size >= this.#maxConnections) return this.#wait(call, 'upstream_overloaded');
    const endpoint = endpoints.pick(except);
    if (endpoint === undefined) {
      // Without an exception, nobody knows yet where the collector is.
      return except === undefined ? this.#wait(call, 'upstream_unavailable') : 'upstream_unavailable';
    }
    const idle = this.#idle.get(endpoint)?.pop();
    if (idle !== undefined) {
      this.#idleCount -= 1;
      this.#inUse.add(idle);
      idle.send(call);
      return undefined;
    }
    const { address: host, port } = endpoint;
    this.#inUse.add(new ClientConnection(this, endpoint, { host, port, tls: this.#tls, connectTimeoutMs }, call));
    return undefined;
  }

  #wait(call: ClientCall, inVain: UpstreamReason): UpstreamReason | undefined {
    if (this.#waiting.size >= MAX_WAITING) return 'upstream_overloaded';
    call.waitsUntilMs = this.#nowMs + this.#options.connectTimeoutMs;
    call.waitsInVain = inVain;
    this.#waiting.add(call);
    return undefined;
  }

  #serveWaiting(): void {
    for (const call of Array.from(this.#waiting)) {
      this.#waiting.delete(call);
      this.#placeOrFail(call);
    }
  }

  writeHead({ request: { head, key, varying, bodyLength } }: ClientCall, { out }: Transport): void {
    out.append(onwardBytes(head, key, this.#options.toUpstream, this.#encodeHead));
    if (varying.length > 0) writeText(out, fieldLines(varying));
    if (head.method === 'POST' && bodyLength !== undefined) writeLength(out, bodyLength);
    else writeText(out, head.method === 'POST' ? `${CHUNKED_LINE}\r\n` : '\r\n');
  }

  readonly #encodeHead = ({ method, path }: OnwardHead, fields: [name: string, value: string][]): Buffer =>
    Buffer.from(
      `${method} ${path} HTTP/1.1\r\n${this.#hostLine}${fieldLines(fields.flat())}Connection: keep-alive\r\n`,
      'latin1',
    );

  answered({ endpoint }: ClientConnection, status: number): void {
    if (status >= 502 && status <= 504) return endpoint.failed('unavailable');
    if (this.#faults.size > 0) this.#faults.delete(endpoint);
    endpoint.succeeded();
  }

  failed({ endpoint, isOpen }: ClientConnection, why: string): void {
    endpoint.failed(isOpen ? 'lost' : 'unreachable');
    if (this.#faults.get(endpoint) === why || endpoint.isRetired) return;
    this.#faults.set(endpoint, why);
    this.#options.connectionFailed?.(endpoint, why);
  }

  freed(connection: ClientConnection, keepAliveMs: number | undefined): void {
    this.#inUse.delete(connection);
    const { endpoint } = connection;
    const next = endpoint.isRetired ? undefined : this.#nextWaiting();
    if (next !== undefined) {
      this.#inUse.add(connection);
      connection.send(next);
      return;
    }
    const idleMs = keepAliveMs === undefined ? IDLE_MS : keepAliveMs - IDLE_SLACK_MS;
    if (this.#isClosed || endpoint.isRetired || this.#idleCount >= MAX_IDLE || idleMs <= 0) return connection.destroy();
    connection.usableUntilMs = this.#nowMs + idleMs;
    const idle = this.#idle.get(endpoint);
    if (idle === undefined) this.#idle.set(endpoint, [connection]);
    else idle.push(connection);
    this.#idleCount += 1;
  }

  gone(connection: ClientConnection, unsent: ClientCall | undefined): void {
    if (!this.#inUse.delete(connection)) this.#removeIdle(connection);
    if (unsent !== undefined) this.#move(unsent, connection.endpoint);
    const next = this.#inUse.size < this.#maxConnections ? this.#nextWaiting() : undefined;
    if (next !== undefined) this.#placeOrFail(next);
  }

  /** No byte of it has left: it may go to another address, once. */
  #move(call: ClientCall, from: Endpoint): void {
    if (call.wasMoved) return call.failed('upstream_unavailable');
    call.wasMoved = true;
    this.#placeOrFail(call, from);
  }

  #placeOrFail(call: ClientCall, except?: Endpoint): void {
    const reason = this.#place(call, except);
    if (reason !== undefined) call.failed(reason);
  }

  #nextWaiting(): ClientCall | undefined {
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      return call;
    }
    return undefined;
  }

  forget(call: ClientCall): void {
    this.#waiting.delete(call);
  }

  #removeIdle(connection: ClientConnection): void {
    const idle = this.#idle.get(connection.endpoint);
    const index = idle?.indexOf(connection) ?? -1;
    if (index === -1) return;
    idle?.splice(index, 1);
    this.#idleCount -= 1;
  }

  #closeIdle(endpoint: Endpoint): void {
    for (const connection of this.#idle.get(endpoint)?.slice() ?? []) connection.destroy();
    this.#idle.delete(endpoint);
  }

  get connectionCount(): number {
    return this.#inUse.size + this.#idleCount;
  }

  get isIdle(): boolean {
    return this.#inUse.size === 0 && this.#waiting.size === 0;
  }

  check(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const call of this.#waiting) {
      if (nowMs < call.waitsUntilMs) break; // those behind came later
      call.failed(call.waitsInVain);
    }
    for (const idle of this.#idle.values()) {
      for (const connection of idle.filter(({ usableUntilMs }) => usableUntilMs <= nowMs)) connection.destroy();
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const endpoint of this.#idle.keys()) this.#closeIdle(endpoint);
  }
}
