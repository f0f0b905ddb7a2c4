import type { ConnectionOptions } from 'node:tls';
import type { ToUpstream } from '../../../headers.ts';
import type { Endpoint } from '../../../upstream/endpoint.ts';
import type { Endpoints } from '../../../upstream/endpoints.ts';
import type { UpstreamReason } from '../../../upstream/faults.ts';
import type { UpstreamTarget, UpstreamTls } from '../../../upstream/target.ts';
import { tlsOptions } from '../../../upstream/tls-options.ts';
import type { AnswerHead, Caller, OnwardRequest, UpstreamCall, UpstreamPool } from '../upstream-call.ts';
import { ClientConnection } from './client-connection.ts';
import type { ConnectionOwner } from './client-connection.ts';
import { ClientStream } from './client-stream.ts';
import type { Placing } from './client-stream.ts';
import { createHeadBlocks } from './onward-head.ts';
import type { HeadBlocks } from './onward-head.ts';
import { Site } from './site.ts';

export interface Http2UpstreamOptions {
  readonly target: UpstreamTarget;
  readonly tls: UpstreamTls;
  /** Closed by whoever made them, after this. */
  readonly endpoints: Endpoints;
  readonly toUpstream: ToUpstream;
  /** To each address. More than a few make nothing faster: one carries thousands of calls. */
  readonly connections?: number;
  /** Until a connection is open and the collector has said hello. */
  readonly connectTimeoutMs: number;
  /** How long a call waits for a place when the collector takes no more of them at a time. */
  readonly placeTimeoutMs?: number;
  /** Calls that may wait for a place or a connection; each with no more of its body than its sender's window. */
  readonly maxWaiting?: number;
  /** Hears of connections that could not be opened or broke with calls on them; of the same fault in a row once. */
  readonly connectionFailed?: (endpoint: Endpoint, why: string) => void;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
  /** From 0 to 1, without 1. */
  readonly random?: () => number;
}

/** While collectors cannot be reached, calls wait for the next attempt no longer than this. */
const MAX_DOUBTFUL_WAIT_MS = 1_000;
/** A connection that takes no more streams when it is hardly older than this, and has answered nothing, was none. */
const SHORT_LIFE_MS = 1_000;

/** Calls to one collector over HTTP/2: each goes to the next of its addresses, on the connection that has least to do. */
export function createHttp2Upstream(options: Http2UpstreamOptions): UpstreamPool {
  return new Pool(options);
}

class Pool implements UpstreamPool, ConnectionOwner, Placing {
  readonly #endpoints: Endpoints;
  readonly #maxConnections: number;
  readonly #maxWaiting: number;
  readonly #connectTimeoutMs: number;
  readonly #placeTimeoutMs: number;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #connectionFailed: (endpoint: Endpoint, why: string) => void;
  readonly #tls: ConnectionOptions | undefined;
  readonly #headBlocks: HeadBlocks;
  readonly #sites = new Map<Endpoint, Site>();
  /** All of them, also those that take no more streams. */
  readonly #connections = new Set<ClientConnection>();
  /** In the order in which they came. */
  readonly #waiting = new Set<ClientStream>();
  /** Nothing could be reached when it was tried last. */
  #isDoubtful = false;
  #isClosed = false;

  constructor(options: Http2UpstreamOptions) {
    const { target, tls, endpoints, toUpstream, now, random } = options;
    this.#endpoints = endpoints;
    this.#maxConnections = options.connections ?? 2;
    this.#maxWaiting = options.maxWaiting ?? 4_096;
    this.#connectTimeoutMs = options.connectTimeoutMs;
    this.#placeTimeoutMs = options.placeTimeoutMs ?? 5_000;
    this.#now = now ?? (() => performance.now());
    this.#random = random ?? Math.random;
    this.#connectionFailed = options.connectionFailed ?? (() => {});
    this.#tls = target.secure ? tlsOptions(target, tls, 'h2') : undefined;
    this.#headBlocks = createHeadBlocks(target, toUpstream);
    endpoints.onChange((change, endpoint) => (change === 'added' ? this.#added(endpoint) : this.#removed(endpoint)));
  }

  open(request: OnwardRequest, caller: Caller): UpstreamCall | UpstreamReason {
    if (this.#isClosed) return 'upstream_unavailable';
    const stream = new ClientStream(request, caller, this);
    return this.#place(stream) ?? stream;
  }

  placeAgain(stream: ClientStream): void {
    const reason = this.#isClosed ? 'upstream_unavailable' : this.#place(stream);
    if (reason !== undefined) stream.fail(reason);
  }

  withdraw(stream: ClientStream): void {
    this.#waiting.delete(stream);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get isIdle(): boolean {
    if (this.#waiting.size > 0) return false;
    for (const connection of this.#connections) if (connection.streamCount > 0) return false;
    return true;
  }

  check(nowMs: number): void {
    for (const connection of this.#connections) connection.check(nowMs);
    for (const stream of this.#waiting) {
      if (nowMs < stream.waitsUntilMs) continue;
      this.#waiting.delete(stream);
      if (stream.waitsInVain === 'upstream_unavailable') this.#isDoubtful = true;
      stream.fail(stream.waitsInVain);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.leave();
    this.#giveUpWaiting();
  }

  ready(connection: ClientConnection): void {
    this.#isDoubtful = false;
    this.roomFreed(connection);
    const site = this.#sites.get(connection.endpoint);
    if (site !== undefined && this.#waiting.size > 0) this.#connect(site);
  }

  roomFreed(connection: ClientConnection): void {
    if (this.#waiting.size === 0) return;
    for (const stream of this.#waiting) {
      if (!connection.hasRoom) return;
      this.#waiting.delete(stream);
      connection.begin(stream);
    }
  }

  answered({ endpoint }: ClientConnection, { status, isGrpc }: AnswerHead): void {
    this.#sites.get(endpoint)?.succeeded();
    // A collector that speaks gRPC says in gRPC that it is unavailable.
    if (status >= 502 && status <= 504 && !isGrpc) endpoint.failed('unavailable');
    else endpoint.succeeded();
  }

  leaving(connection: ClientConnection): void {
    const site = this.#sites.get(connection.endpoint);
    site?.remove(connection);
    if (site === undefined || this.#isClosed) return;
    const nowMs = this.#now();
    if (connection.answers === 0 && nowMs - connection.openedAtMs < SHORT_LIFE_MS)
      site.failed(nowMs, this.#random, true);
    this.#connect(site);
  }

  closed(connection: ClientConnection, streams: number, why: string): void {
    this.#connections.delete(connection);
    const { endpoint, answers, wasReady } = connection;
    const site = this.#sites.get(endpoint);
    site?.remove(connection);
    if (site !== undefined && !this.#isClosed) {
      if (!wasReady || streams > 0) {
        endpoint.failed(wasReady ? 'lost' : 'unreachable');
        if (site.isNews(why)) this.#connectionFailed(endpoint, why);
      }
      if (!wasReady || (streams > 0 && answers === 0)) site.failed(this.#now(), this.#random, wasReady);
      this.#isDoubtful ||= !wasReady && !this.#isOpen;
    }
    if (this.#waiting.size > 0 && !this.#seek()) this.#giveUpWaiting();
  }

  /** Finds a place for a stream, or has it wait for one; or says why there is none. */
  #place(stream: ClientStream): UpstreamReason | undefined {
    const connection = this.#waiting.size === 0 ? this.#findRoom(stream.endpoint) : undefined;
    if (connection === undefined) return this.#wait(stream);
    connection.begin(stream);
    return undefined;
  }

  #findRoom(except: Endpoint | undefined): ClientConnection | undefined {
    const endpoint = this.#endpoints.pick(except) ?? this.#endpoints.pick();
    const site = endpoint === undefined ? undefined : this.#sites.get(endpoint);
    const connection = site?.withRoom();
    if (connection !== undefined && !connection.isBusy) return connection;
    if (site !== undefined) this.#connect(site);
    return connection ?? this.#anyRoom();
  }

  #anyRoom(): ClientConnection | undefined {
    for (const site of this.#sites.values()) {
      const connection = site.withRoom();
      if (connection !== undefined) return connection;
    }
    return undefined;
  }

  #wait(stream: ClientStream): UpstreamReason | undefined {
    if (!this.#seek()) return 'upstream_unavailable';
    if (this.#waiting.size >= this.#maxWaiting) return 'upstream_overloaded';
    const connectMs = this.#isDoubtful
      ? Math.min(MAX_DOUBTFUL_WAIT_MS, this.#connectTimeoutMs)
      : this.#connectTimeoutMs;
    stream.waitsUntilMs = this.#now() + (this.#isOpen ? this.#placeTimeoutMs : connectMs);
    stream.waitsInVain = this.#isOpen ? 'upstream_overloaded' : 'upstream_unavailable';
    this.#waiting.add(stream);
    return undefined;
  }

  #giveUpWaiting(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const stream of waiting) stream.fail('upstream_unavailable');
  }

  /** Whether there is anything to wait for: if there is no connection, and none being opened, one is tried. */
  #seek(): boolean {
    if (this.#isClosed) return false;
    for (const { state } of this.#connections) if (state === 'ready' || state === 'connecting') return true;
    for (let tries = this.#sites.size; tries > 0; tries--) {
      const endpoint = this.#endpoints.pick();
      const site = endpoint === undefined ? undefined : this.#sites.get(endpoint);
      if (site !== undefined && this.#connect(site)) return true;
    }
    return this.#sites.size === 0; // nobody knows yet where the collector is
  }

  get #isOpen(): boolean {
    for (const { state } of this.#connections) if (state === 'ready') return true;
    return false;
  }

  #connect(site: Site): boolean {
    if (this.#isClosed || site.connections.length >= this.#maxConnections) return false;
    const nowMs = this.#now();
    if (!site.mayConnect(nowMs)) return false;
    const connection = new ClientConnection({
      endpoint: site.endpoint,
      tls: this.#tls,
      connectTimeoutMs: this.#connectTimeoutMs,
      nowMs,
      owner: this,
      headBlocks: this.#headBlocks,
    });
    site.connections.push(connection);
    this.#connections.add(connection);
    return true;
  }

  #added(endpoint: Endpoint): void {
    const site = new Site(endpoint);
    this.#sites.set(endpoint, site);
    if (this.#waiting.size > 0) this.#connect(site);
  }

  #removed(endpoint: Endpoint): void {
    const site = this.#sites.get(endpoint);
    this.#sites.delete(endpoint);
    for (const connection of site?.connections.slice() ?? []) connection.leave();
  }
}
