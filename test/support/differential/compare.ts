import { isDeepStrictEqual } from 'node:util';
import { asArrived, asRelayed } from './outcome.ts';
import type { Answer, Outcome } from './outcome.ts';

/** One case at the wire plane, at the library plane, and at a plain server without a gateway. */
export interface Outcomes {
  readonly wire: Outcome;
  readonly library: Outcome;
  readonly plain: Outcome;
}

/** A difference on purpose: the wire plane may be the stricter one, and never the other way. */
export interface AllowedDifference {
  readonly why: string;
  /** `isBehind`: of the answer to a request behind the odd one. */
  readonly holds: (wire: Answer | undefined, library: Answer | undefined, isBehind: boolean) => boolean;
}

export interface Expectation {
  readonly identity: Identity;
  readonly allowed: readonly AllowedDifference[];
  readonly oddAt: number;
}

/** What the gateway says of the key, as the collector gets it. */
export type Identity = readonly string[];

/** All that must not be, in sentences. From the request with the number `oddAt` on, which is odd, some may differ. */
export function findFaults({ wire, library, plain }: Outcomes, { identity, allowed, oddAt }: Expectation): string[] {
  const faults = wire.strangers.map((name) => `${name} came to the collector uninvited, or twice`);
  for (const [name, arrival] of wire.arrivals) {
    const arrived = asArrived(arrival);
    const understood = plain.arrivals.get(name);
    if (understood === undefined) faults.push(`${name} went on, though a plain server does not understand it`);
    else {
      const expected = asRelayed(understood, identity);
      if (!isDeepStrictEqual(arrived, expected))
        faults.push(
          `${name} went on with ${differenceOf(arrived, expected)}, and was understood with ${differenceOf(expected, arrived)}`,
        );
    }
    if (!library.arrivals.has(name)) faults.push(`${name} went on, though the library plane refuses it`);
  }
  for (let i = 0; i < Math.max(wire.answers.length, library.answers.length); i++) {
    const [ours, theirs] = [wire.answers[i], library.answers[i]];
    if (isDeepStrictEqual(ours, theirs)) continue;
    if (i >= oddAt && allowed.some(({ holds }) => holds(ours, theirs, i > oddAt))) return faults; // what follows on this connection may differ, too
    faults.push(`answer ${i} is ${show(ours)}, and by the library plane ${show(theirs)}`);
  }
  return faults;
}

/** What only the first of them says. */
function differenceOf(ours: ReturnType<typeof asArrived>, theirs: ReturnType<typeof asArrived>): string {
  const { fields, ...rest } = ours;
  const { fields: other, ...otherRest } = theirs;
  return show([
    ...Object.entries(rest).filter(([name, value]) => otherRest[name as keyof typeof otherRest] !== value),
    ...fields.filter((field) => !other.includes(field)),
  ]);
}

function show(what: unknown): string {
  return JSON.stringify(what) ?? 'none';
}
