import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from './config/schema.ts';
import { parseAddress } from './listening.ts';
import type { ListenerOptions, PlaneLimits } from './plane/plane.ts';

// The configuration, in the words of the data path.

export function listener({ address, tls }: Config['listen']['grpc']): ListenerOptions {
  return {
    ...parseAddress(address),
    tls: tls
      ? {
          cert: readFileSync(tls.cert),
          key: readFileSync(tls.key),
          clientCa: tls.clientCa ? readFileSync(tls.clientCa) : undefined,
        }
      : undefined,
  };
}

/** When the certificates end that this gateway shows: to senders on each port, and to the collector. */
export function certificateExpiries({
  listen,
  upstream,
}: Config): readonly { readonly use: string; readonly atMs: number }[] {
  const files = { grpc: listen.grpc.tls?.cert, http: listen.http.tls?.cert, upstream: upstream.tls.cert };
  return Object.entries(files).flatMap(([use, file]) =>
    file ? [{ use, atMs: new X509Certificate(readFileSync(file)).validToDate.getTime() }] : [],
  );
}

/** Browsers are told nothing at all unless there is a page that may send. */
export function corsRules({ origins, maxAge }: Config['cors']) {
  return origins.length === 0 ? undefined : { origins, maxAgeMs: maxAge };
}

export function planeLimits(limits: Config['limits']): PlaneLimits {
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
  };
}
