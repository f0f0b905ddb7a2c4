import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import type { UpstreamTarget, UpstreamTls } from './target.ts';

/**
 * How a connection to an upstream speaks TLS. Its certificate is checked against the name or address that was configured, not
 * against the address that it led to; an address is no server name (RFC 6066 section 3), so none is sent then.
 * Throws, here and not with a request, if the authorities or the certificate cannot be read.
 */
export function tlsOptions(
  { host }: UpstreamTarget,
  { ca, cert, key }: UpstreamTls,
  protocol: 'h2' | 'http/1.1',
): ConnectionOptions {
  return {
    secureContext: createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }),
    ALPNProtocols: [protocol],
    checkServerIdentity: (_name, peer) => checkServerIdentity(host, peer),
    ...(isIP(host) === 0 && { servername: host }),
  };
}
