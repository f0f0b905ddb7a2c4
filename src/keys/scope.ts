import { SocketAddress, isIP } from 'node:net';

/**
 * What a key may be limited to besides its signals: a type, networks, web origins, an amount. The texts are parsed where
 * they enter and carry a brand from then on, so that a range that cannot match or an origin that no browser sends never
 * gets into a record.
 */

/**
 * Who a key is for. `sensor`: agents on the operator's own machines. `thirdParty`: anybody else's software. `rum`: pages in
 * browsers and apps, where everybody can read the key, so that it is good for as little as possible.
 */
export const KEY_TYPES = ['sensor', 'rum', 'thirdParty'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** What was meant, or why it cannot be: "must be …". */
export type ScopeResult<T> = { readonly value: T } | { readonly problem: string };

declare const cidrBrand: unique symbol;

/** A network in canonical form, `10.0.0.0/8` or `2001:db8::/32`; never an IPv4 network in the disguise of an IPv6 one. */
export type Cidr = string & { readonly [cidrBrand]: true };

const CIDR_FORM = /^([^/%]+)(?:\/(0|[1-9][0-9]{0,2}))?$/;
const IPV4_MAPPED = 0xffffn;

/** A single address is the network of it alone. Bits behind the prefix are taken for a slip, and refused with what is right. */
export function parseCidr(text: string): ScopeResult<Cidr> {
  const [, address = '', suffix] = CIDR_FORM.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0) return { problem: 'must be a network such as 10.0.0.0/8 or 2001:db8::/32, or a single address' };
  const width = family === 4 ? 32 : 128;
  const prefix = suffix === undefined ? width : Number(suffix);
  if (prefix > width) return { problem: `must have a prefix of at most /${width}` };
  const bits = family === 4 ? bitsOfIpv4(address) : bitsOfIpv6(address);
  const host = bits & ((1n << BigInt(width - prefix)) - 1n);
  if (host !== 0n) return { problem: `must be a whole network: write ${format(bits - host, prefix, width)}` };
  return { value: format(bits, prefix, width) };
}

export function isCidr(value: unknown): value is Cidr {
  return typeof value === 'string' && isCanonical(value, parseCidr(value));
}

function format(bits: bigint, prefix: number, width: 32 | 128): Cidr {
  if (width === 32) return `${[24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.')}/${prefix}` as Cidr;
  // Peers are seen by their IPv4 address even if they arrive on a socket for both families.
  if (prefix >= 96 && bits >> 32n === IPV4_MAPPED) return format(bits & 0xffff_ffffn, prefix - 96, 32);
  const groups = Array.from({ length: 8 }, (_, index) => ((bits >> BigInt(16 * (7 - index))) & 0xffffn).toString(16));
  return `${new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address}/${prefix}` as Cidr;
}

function bitsOfIpv4(address: string): bigint {
  return address.split('.').reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
}

function bitsOfIpv6(address: string): bigint {
  const [head = '', tail] = address.split('::');
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array<bigint>(8 - front.length - back.length).fill(0n);
  return [...front, ...zeros, ...back].reduce((bits, group) => (bits << 16n) | group, 0n);
}

/** The last 32 bits may be written as an IPv4 address. */
function groupsOf(part: string): bigint[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const bits = bitsOfIpv4(group);
    return [bits >> 16n, bits & 0xffffn];
  });
}

declare const originBrand: unique symbol;

/** A web origin exactly as browsers write it in `Origin`, `https://shop.example.com`; or `*`, which is every one and none. */
export type Origin = string & { readonly [originBrand]: true };

const ANY_ORIGIN = '*';
const ORIGIN_FORM = /^([a-z][a-z0-9+.-]*):\/\/[^\s/?#@\\,*]+$/;

/** Origins are compared as text, so one that no browser would send is refused, with what it would send. */
export function parseOrigin(text: string): ScopeResult<Origin> {
  if (text === ANY_ORIGIN) return { value: text as Origin };
  const url = /^https?:/i.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.origin !== text) return { problem: `must be as browsers write it: ${url.origin}` };
  // Apps in a browser's clothes have schemes of their own, such as capacitor://localhost.
  if (!ORIGIN_FORM.test(text) || (url === undefined && /^https?:/.test(text))) {
    return { problem: 'must be scheme://host or scheme://host:port, such as https://shop.example.com, or *' };
  }
  return { value: text as Origin };
}

export function isOrigin(value: unknown): value is Origin {
  return typeof value === 'string' && isCanonical(value, parseOrigin(value));
}

function isCanonical<T extends string>(text: string, result: ScopeResult<T>): boolean {
  return 'value' in result && result.value === text;
}

/** `*` is every origin and also none, as apps that are no web pages have none. */
export function isAmong(origins: readonly Origin[], origin: string | undefined): boolean {
  return origins.some((each) => each === ANY_ORIGIN || each === origin);
}

/**
 * How much a key may send: so many requests and so many bytes of bodies, as sent, in a second on average, and a burst at
 * once. A burst that is not given is what a second brings.
 */
export interface KeyLimits {
  readonly requestsPerSecond?: number | undefined;
  readonly requestBurst?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
  readonly byteBurst?: number | undefined;
}

export const MAX_REQUEST_LIMIT = 1_000_000;
/** 1 TiB. */
export const MAX_BYTE_LIMIT = 2 ** 40;

/** Undefined for limits that can be kept. */
export function limitsProblem(limits: KeyLimits): string | undefined {
  return (
    limitProblem(limits, 'requestsPerSecond', 'requestBurst', MAX_REQUEST_LIMIT) ??
    limitProblem(limits, 'bytesPerSecond', 'byteBurst', MAX_BYTE_LIMIT)
  );
}

function limitProblem(
  limits: KeyLimits,
  rate: keyof KeyLimits,
  burst: keyof KeyLimits,
  max: number,
): string | undefined {
  const faulty = [rate, burst].find((name) => !isWithin(limits[name] ?? 1, max));
  if (faulty !== undefined) return `${faulty} must be a whole number from 1 to ${max}`;
  return limits[burst] !== undefined && limits[rate] === undefined ? `${burst} needs ${rate} beside it` : undefined;
}

function isWithin(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= max;
}
