import type * as tls from 'node:tls';
import type { ListenerTls, PlaneLimits } from './plane.ts';

/** TLS of a data port, whatever serves it. */
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
    // A certificate that is sent is verified; a client without one is still served: its key decides.
    ...(clientCa ? { ca: clientCa, requestCert: true, rejectUnauthorized: false } : {}),
  };
}

/** In the words of OpenSSL, such as "unknown ca", if it was OpenSSL that gave up. */
export function whyHandshakeFailed(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}

export function hasUntrustedCertificate(socket: tls.TLSSocket, listenerTls: ListenerTls | undefined): boolean {
  return listenerTls?.clientCa !== undefined && !socket.authorized && socket.getPeerX509Certificate() !== undefined;
}
