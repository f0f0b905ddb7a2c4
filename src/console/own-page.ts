import type { IncomingMessage } from 'node:http';

/**
 * Whether a request with a session was sent by a page of the console itself. A browser sends the cookie whoever made it send
 * the request (CSRF, CWE-352); SameSite keeps other sites from that, but not other ports of this machine, which are the same
 * site. What a page cannot forge are Sec-Fetch-Site, which browsers send where there is TLS or the loopback address, and
 * Origin, which they send with every change (W3C Fetch Metadata; OWASP, "Cross-Site Request Forgery Prevention"). Each that
 * is there must be right, and a change needs one of them: here, unlike elsewhere, nobody but a browser has a session.
 */
export function comesFromOwnPage(
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  own: string,
): boolean {
  const { origin, 'sec-fetch-site': site } = headers;
  if (site !== undefined && site !== 'same-origin') return false;
  if (origin !== undefined && origin !== own) return false;
  const isRead = method === 'GET' || method === 'HEAD';
  return isRead || site !== undefined || origin !== undefined;
}
