import { isIP } from 'node:net';
import type { RawFields } from '../credential/read.ts';
import { pathOf, valuesIn } from './judge.ts';
import type { Question } from './judge.ts';

/** A request over HTTP by which a proxy asks about another one. */
export interface Asking {
  readonly method: string | undefined;
  readonly url: string;
  readonly fields: RawFields;
  /** The proxy's address. */
  readonly peer: string;
}

/** Where proxies ask. */
export const AUTHZ_PATH = '/authz';

/**
 * The request that a proxy asks about. This is the one place that believes what fields say of where a request came from and where it
 * goes, and it believes only whoever reaches the port for proxies.
 *
 * Proxies say it in different ways, and pass on what senders put into the fields that they do not use. So all that is said of the path
 * must agree, and so must all that is said of the method: to pick one would let a sender have one path judged and another one relayed.
 * What does not agree, or is not said, is no question that could be answered with yes or no.
 *
 * Undefined if nothing is asked at all.
 */
export function originalRequest(
  { method, url, fields, peer }: Asking,
  isProxy: (address: string) => boolean,
): Omit<Question, 'port'> | undefined {
  const asked = pathOf(url);
  if (asked !== AUTHZ_PATH && !asked.startsWith(`${AUTHZ_PATH}/`)) return undefined;

  // Envoy puts the path behind its prefix, and asks with the method of the request.
  const below = asked === AUTHZ_PATH ? undefined : url.slice(AUTHZ_PATH.length);
  const targets = [
    ...(below === undefined ? [] : [below]),
    ...valuesIn(fields, 'x-forwarded-uri'), // Traefik, Caddy; our nginx.conf and HAProxy's script
    ...valuesIn(fields, 'x-original-uri'), // nginx, as its own documentation has it
    ...valuesIn(fields, 'x-original-url').map(withoutOrigin), // ingress-nginx
  ];
  const methods = [
    ...(below === undefined || method === undefined ? [] : [method]),
    ...valuesIn(fields, 'x-forwarded-method'),
    ...valuesIn(fields, 'x-original-method'),
  ];
  const isClear = allAgree(targets.map(pathOf)) && allAgree(methods);
  return {
    target: isClear ? targets[0] : undefined,
    method: methods[0],
    fields,
    peer: senderOf(valuesIn(fields, 'x-forwarded-for'), peer, isProxy),
  };
}

/**
 * Who sent it. Whoever passes a request on writes behind what is there whom he has it from, so only the end of X-Forwarded-For is his
 * word: the last address is the proxy's own knowledge, and the one before it counts only if that last one is a proxy we were told of.
 */
export function senderOf(
  forwardedFor: readonly string[],
  proxy: string,
  isProxy: (address: string) => boolean,
): string {
  let sender = proxy;
  for (const entry of forwardedFor.flatMap((value) => value.split(',')).toReversed()) {
    const address = addressIn(entry.trim());
    if (address === undefined) return sender;
    sender = address;
    if (!isProxy(address)) return sender;
  }
  return sender;
}

/** Some write the port behind it, and IPv6 in brackets. */
function addressIn(entry: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([^:]+):\d+$/.exec(entry)?.[1] ?? entry;
  return isIP(bare) === 0 ? undefined : bare;
}

/** Cut off as text: to parse it would make another path of it. */
function withoutOrigin(url: string): string {
  return url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
}

function allAgree(said: readonly string[]): boolean {
  return said.every((each) => each === said[0]);
}
