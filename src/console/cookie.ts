/**
 * The cookie that names a session. With TLS it has the prefix __Host-, so that no other host or path can set one in its place
 * (RFC 6265bis, 4.1.3.2). Over plaintext browsers would not keep it under that name, nor with Secure.
 */
const name = (isSecure: boolean): string => (isSecure ? '__Host-keygate-session' : 'keygate-session');

/** Until the browser is closed; scripts do not see it, and other sites do not make the browser send it. */
const attributes = (isSecure: boolean): string => `Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;

export function sessionCookie(id: string, isSecure: boolean): string {
  return `${name(isSecure)}=${id}; ${attributes(isSecure)}`;
}

export function endedCookie(isSecure: boolean): string {
  return `${name(isSecure)}=; Max-Age=0; ${attributes(isSecure)}`;
}

/** The session's id. Two cookies of the name are none: one of them was set by somebody else. */
export function readSessionCookie(header: string | undefined, isSecure: boolean): string | undefined {
  const start = `${name(isSecure)}=`;
  const found = (header ?? '')
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(start));
  return found.length === 1 ? found[0]?.slice(start.length) : undefined;
}
