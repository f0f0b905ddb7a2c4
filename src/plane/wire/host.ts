const HOST = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]*$/;

/**
 * Whether a text can be a host with or without a port, in Host or `:authority`. A user before it is none of that (RFC 9113
 * section 8.3.1, RFC 9110 section 4.2.4): "bank@evil" is one host to one reader and the other to the next.
 */
export function isHost(text: string): boolean {
  return HOST.test(text);
}
