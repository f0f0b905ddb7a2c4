import type { Socket } from 'node:net';
import type { KeyRecord, Signal } from '../keys/record.ts';
import type { Route } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';
import type { Cors } from './cors.ts';

/** What every data path is to the rest of the program. */
export interface Plane {
  /** Opens the ports; resolves with where they are. */
  listen(): Promise<PlaneAddresses>;
  /** Of the bodies of all requests, what waits here for the collector; 0 where that is not counted. */
  heldBytes(): number;
  /** Serves a connection that was taken elsewhere, and of which no byte was read; this plane need not listen. */
  accept(port: Protocol, socket: Socket): void;
  /** Takes no new connections, lets requests in flight finish for this long, then ends the rest. */
  drain(timeoutMs: number): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
  /**
   * What holds from now on. Certificates are shown to whoever connects next, and so many are taken as the limits say now; connections
   * that are open stay. Addresses stay too, and a port has TLS or not as it had.
   */
  renew(next: Renewal): void;
}

export interface Renewal {
  readonly listen: Readonly<Record<Protocol, ListenerOptions>>;
  /** Absent: browsers may not send from pages of other origins. */
  readonly cors: Cors | undefined;
}

export interface PlaneAddresses {
  readonly grpc: BoundAddress;
  readonly http: BoundAddress;
}

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

export type Protocol = 'grpc' | 'http';

/** Where other proxies ask about requests that they relay themselves: over gRPC as Envoy does, or over HTTP. */
export type AuthzPort = 'authz_grpc' | 'authz_http';

/** All ports at which requests are judged. */
export type Port = Protocol | AuthzPort;

/** How a request ended; told once for each. */
export interface RequestReport {
  readonly requestId: string;
  /** Of the trace that the request is a part of, if it says so by the W3C grammar. Read when it is asked for. */
  readonly traceId: string | undefined;
  /** How it came here, itself or as the question of a proxy. */
  readonly protocol: Port;
  /** Absent when the request was for none. */
  readonly route: Route | undefined;
  /** Absent also on routes that carry none of the four. */
  readonly signal: Signal | undefined;
  /**
   * `accepted`: the collector answered, or the proxy that asked was told to relay it. `cancelled`: the sender left first. Otherwise
   * why it was refused.
   */
  readonly outcome: 'accepted' | 'cancelled' | Reason;
  /** The collector's own answer: an HTTP status or a gRPC code. */
  readonly upstreamStatus: number | undefined;
  readonly key: KeyRecord | undefined;
  readonly fingerprint: string | undefined;
  readonly peer: string;
  readonly userAgent: string | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly decisionSeconds: number;
  readonly upstreamSeconds: number | undefined;
}

/**
 * Why a connection was not served: `limits.maxConnections` were open, its TLS handshake failed, or it showed a client
 * certificate of an authority that is not ours, or none where there has to be one.
 */
export type TurnedAway = 'limit' | 'handshake' | 'certificate';

export interface PlaneObserver {
  started(protocol: Port): void;
  ended(report: RequestReport): void;
  connections(port: Port, open: number): void;
  /** `cause` is what TLS says of a handshake. The address of one that has left already may not be known. */
  turnedAway(port: Port, why: TurnedAway, peer: string | undefined, cause?: string): void;
}

/**
 * Bounds on what senders and the collector may use. maxBodyBytes, maxHeldBytes, maxConnections and upstreamTimeoutMs may change
 * while the plane runs, so they are read when they are needed; the others are told to peers, and hold for as long as it runs.
 */
export interface PlaneLimits {
  readonly maxBodyBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly maxStreams: number;
  readonly maxHeldBytes: number;
  /** The longest a request may wait for the collector. */
  readonly upstreamTimeoutMs: number;
}

export interface ListenerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientCa: Buffer | undefined;
  /** With clientCa: whoever shows no certificate is not served. Where keys decide, he is. */
  readonly needsClientCertificate: boolean;
}

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: ListenerTls | undefined;
}
