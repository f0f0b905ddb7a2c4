import { request } from './raw-http.ts';
import type { RawRequest } from './raw-upstream.ts';
import type { SmugglingCase } from './smuggling-cases.ts';

/** The body of the request that follows each case on its connection. */
export const FOLLOWING = 'the request that follows';

/** It also ends the connection. */
export function followingRequest(key: string): string {
  const fields = ['Host: gateway', `X-API-Key: ${key}`, 'Connection: close', `Content-Length: ${FOLLOWING.length}`];
  return request('POST /v1/traces HTTP/1.1', fields, FOLLOWING);
}

/** All that came of a case and of the request that follows it. */
export interface Outcome {
  /** The statuses that came back, interim ones among them. */
  readonly statuses: readonly number[];
  readonly arrived: readonly RawRequest[];
  readonly key: string;
  /** What must be said of the key, and nothing else: `name: value`. */
  readonly identity: readonly string[];
}

/** Behind these the sender cannot know where the next request begins, so that nothing more may be read. */
const ENDS_CONNECTION: ReadonlySet<number> = new Set([0, 400, 413, 431]);

/** What is wrong with the outcome of a case; undefined if nothing is. */
export function faultOf(one: SmugglingCase, outcome: Outcome): string | undefined {
  const [first = 0, ...rest] = outcome.statuses.filter((status) => status >= 200);
  // In no order: a plane may have several requests of a connection under way.
  const bodies = outcome.arrived.map(({ body }) => body).toSorted();
  const seen = { answers: [first, ...rest], bodies };
  const fault = outcome.arrived.map((each) => faultOfArrival(each, outcome)).find((each) => each !== undefined);
  if (fault !== undefined) return fault;

  const served = { answers: [200, 200], bodies: [one.served ?? '', FOLLOWING].toSorted() };
  const servedLast = { answers: [200], bodies: [one.served] };
  // A connection that is closed over unread bytes may be reset, and its last answer is lost.
  const answerLost = { answers: [0], bodies: [one.served] };
  const refused = { answers: [first], bodies: [] };
  const refusedAlone = { answers: [first, 200], bodies: [FOLLOWING] };
  const right: unknown[] = [];
  if (one.served !== undefined) right.push(...(one.last ? [servedLast, answerLost] : [served]));
  if (one.refused.includes(first)) right.push(refused, ...(ENDS_CONNECTION.has(first) ? [] : [refusedAlone]));
  if (right.some((each) => isSame(each, seen))) return undefined;
  return `what came of it was ${JSON.stringify(seen)}; right would be ${right.map((each) => JSON.stringify(each)).join(' or ')}`;
}

/** What is wrong with a request that arrived, whatever it was part of. */
export function faultOfArrival(
  { head }: RawRequest,
  { key, identity }: Pick<Outcome, 'key' | 'identity'>,
): string | undefined {
  const [line, ...fields] = head.split('\r\n');
  if (line !== 'POST /v1/traces HTTP/1.1') return `this arrived, which nobody sent: ${head}`;
  if (head.includes(key)) return `the key went on: ${head}`;
  const said = fields.filter((field) => /^x.keygate/i.test(field)).map(withSmallName);
  return isSame(said.toSorted(), identity.toSorted()) ? undefined : `it was said of the key: ${said.join(', ')}`;
}

function withSmallName(field: string): string {
  return field.replace(/^[^:]*/, (name) => name.toLowerCase());
}

function isSame(these: unknown, those: unknown): boolean {
  return JSON.stringify(these) === JSON.stringify(those);
}
