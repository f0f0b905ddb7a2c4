import { X509Certificate } from 'node:crypto';
import type { Config } from './config/schema.ts';
import { parseAddress } from './listening.ts';
import { createCors } from './plane/cors.ts';
import type { Cors } from './plane/cors.ts';
import type { ListenerOptions, ListenerTls, PlaneLimits, Protocol } from './plane/plane.ts';
import type { UpstreamTls } from './upstream/target.ts';

/** Reads a file as it is, or throws. */
export type ReadBytes = (path: string) => Buffer;

// The configuration, in the words of the data path.

export function listener(
  { address, tls }: Config['listen']['grpc'],
  read: ReadBytes,
  { needsClientCertificate }: Pick<ListenerTls, 'needsClientCertificate'>,
): ListenerOptions {
  return {
    ...parseAddress(address),
    tls: tls
      ? {
          cert: read(tls.cert),
          key: read(tls.key),
          clientCa: tls.clientCa ? read(tls.clientCa) : undefined,
          needsClientCertificate,
        }
      : undefined,
  };
}

/** The data ports. */
export function listeners({ listen }: Config, read: ReadBytes): Readonly<Record<Protocol, ListenerOptions>> {
  const keysDecide = { needsClientCertificate: false };
  return { grpc: listener(listen.grpc, read, keysDecide), http: listener(listen.http, read, keysDecide) };
}

export function upstreamTls({ tls: { ca, cert, key } }: Config['upstream'], read: ReadBytes): UpstreamTls {
  const readIf = (path: string | null): Buffer | undefined => (path === null ? undefined : read(path));
  return { ca: readIf(ca), cert: readIf(cert), key: readIf(key) };
}

/** Where senders come to, as the console tells them. */
export function dataPorts({ listen: { grpc, http } }: Config) {
  return {
    grpc: { port: parseAddress(grpc.address).port, tls: grpc.tls !== null },
    http: { port: parseAddress(http.address).port, tls: http.tls !== null },
  };
}

/** When the certificates end that this gateway shows: on each port, and to the collector. */
export function certificateExpiries(
  { listen, authz, upstream }: Config,
  read: ReadBytes,
): readonly { readonly use: string; readonly atMs: number }[] {
  const files = {
    grpc: listen.grpc.tls?.cert,
    http: listen.http.tls?.cert,
    authz_grpc: authz.grpc.tls?.cert,
    authz_http: authz.http.tls?.cert,
    upstream: upstream.tls.cert,
  };
  return Object.entries(files).flatMap(([use, file]) =>
    file ? [{ use, atMs: new X509Certificate(read(file)).validToDate.getTime() }] : [],
  );
}

/** Browsers are told nothing at all unless there is a page that may send. */
export function corsOf({ cors: { origins, maxAge }, keys }: Pick<Config, 'cors' | 'keys'>): Cors | undefined {
  return origins.length === 0 ? undefined : createCors({ origins, maxAgeMs: maxAge }, keys.carriers);
}

export function planeLimits({ limits, upstream }: Pick<Config, 'limits' | 'upstream'>): PlaneLimits {
  return {
    maxBodyBytes: limits.maxBody,
    maxHeaderBytes: limits.maxHeaderBytes,
    maxHeaders: limits.maxHeaders,
    headersTimeoutMs: limits.headersTimeout,
    bodyTimeoutMs: limits.bodyTimeout,
    idleTimeoutMs: limits.idleTimeout,
    maxConnections: limits.maxConnections,
    maxStreams: limits.maxStreams,
    maxHeldBytes: limits.maxHeld,
    upstreamTimeoutMs: upstream.timeout,
  };
}
