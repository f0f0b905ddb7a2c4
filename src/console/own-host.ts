import { isIP } from 'node:net';

/** Where a browser sees this server: as it says in Origin, and whether there is TLS on the way. */
export interface OwnOrigin {
  readonly origin: string;
  readonly isSecure: boolean;
}

/** An address in brackets, or a name; and perhaps a port. */
const HOST_FORM = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::[0-9]{1,5})?$/;

/**
 * The origin that a request was sent to, by its Host field; undefined where the name is not ours. A page of another site may
 * have its own name lead to this machine (DNS rebinding, CWE-350), and is of the same origin then: nothing but the name in
 * Host tells it apart. So names are taken only if no stranger can own them: addresses, which are looked up nowhere,
 * localhost and what is below it (RFC 6761, 6.3), and the one that the operator has set.
 */
export function ownOriginOf(host: string | undefined, publicUrl: string | undefined): OwnOrigin | undefined {
  const wanted = host?.toLowerCase() ?? '';
  if (publicUrl !== undefined) {
    const known = new URL(publicUrl);
    if (wanted === known.host) return { origin: known.origin, isSecure: known.protocol === 'https:' };
  }
  const [, v6, name] = HOST_FORM.exec(wanted) ?? [];
  const isOurs =
    v6 === undefined
      ? name !== undefined && (isIP(name) === 4 || name === 'localhost' || name.endsWith('.localhost'))
      : isIP(v6) === 6;
  return isOurs ? { origin: `http://${wanted.replace(/:80$/, '')}`, isSecure: false } : undefined;
}
