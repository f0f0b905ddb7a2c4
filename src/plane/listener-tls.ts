import { createSecureContext } from 'node:tls';
import type * as tls from 'node:tls';
import type { ListenerOptions, ListenerTls, PlaneLimits } from './plane.ts';

/** TLS of a port, whatever serves it. */
export function tlsOptions(
  { cert, key, clientCa }: ListenerTls,
  { headersTimeoutMs }: Pick<PlaneLimits, 'headersTimeoutMs'>,
): tls.TlsOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', 'http/1.1'],
    handshakeTimeout: headersTimeoutMs,
    // A certificate that is sent is verified; OpenSSL refuses nobody for it, so that we can say whom: see mustGo.
    ...(clientCa ? { ca: clientCa, requestCert: true, rejectUnauthorized: false } : {}),
  };
}

/** In the words of OpenSSL, such as "unknown ca", if it was OpenSSL that gave up. */
export function whyHandshakeFailed(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}

/**
 * Whether whoever has shaken hands is not served, because of the certificate that he shows, or does not show where he has to. A session
 * that is taken up again stands for what was shown when it began.
 */
export function mustGo(socket: tls.TLSSocket, listenerTls: ListenerTls | undefined): boolean {
  if (listenerTls?.clientCa === undefined) return false;
  if (socket.getPeerX509Certificate() === undefined) return listenerTls.needsClientCertificate;
  return !socket.authorized;
}

/** Throws if one of those that are open shows a certificate that does not fit its key, or is none. */
export function checkTls(
  listeners: Iterable<Pick<ListenerOptions, 'tls'> | undefined>,
  limits: Pick<PlaneLimits, 'headersTimeoutMs'>,
): void {
  for (const listener of listeners) if (listener?.tls) createSecureContext(tlsOptions(listener.tls, limits));
}
