import type { AllowedDifference } from './compare.ts';
import type { Answer } from './outcome.ts';

/**
 * Where the planes differ on purpose, for requests that are odd and what stands behind them. The wire plane may be the
 * stricter one; what it lets on must be let on by the library plane in any case.
 */

/** The collector of these tests answers all with 200; an answer to HEAD has no words. */
function isRefusal(answer: Answer | undefined): boolean {
  return answer?.reason !== undefined || (answer?.status ?? 0) >= 400;
}

const OF_TWO_FAULTS: AllowedDifference = {
  why: 'Of two things that are wrong with a request the planes look for one or the other first.',
  holds: (wire, library) => isRefusal(wire) && isRefusal(library),
};

export const ALLOWED_HTTP1: readonly AllowedDifference[] = [
  OF_TWO_FAULTS,
  {
    why: 'Lines are read to the letter: one space between the words of the request line, a Host that is one. The parser of Node is more lenient, and where it is not, it refuses in words of its own.',
    holds: (wire) => wire?.status === 400,
  },
  {
    why: 'So are the lines of chunks. If the head was refused already, the connection ends behind that.',
    holds: (wire, library, isBehind) => (isBehind ? wire === undefined : isRefusal(wire) && library?.status === 400),
  },
];

export const ALLOWED_HTTP2: readonly AllowedDifference[] = [
  OF_TWO_FAULTS,
  {
    why: 'Whatever is malformed is reset (RFC 9113 section 8.1.1). nghttp2 drops fields with bad names instead, and the library plane may have answered from the head before it gets to what is wrong.',
    holds: (wire) => wire?.fault === 'reset 1',
  },
  {
    why: 'The head says enough for a refusal, which has left before the fault in what follows it is seen.',
    holds: (wire, library) => isRefusal(wire) && library?.fault !== undefined,
  },
];
