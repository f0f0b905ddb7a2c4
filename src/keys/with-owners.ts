import { ownerDigest } from '../credential/digest.ts';
import type { KeyDigest } from '../credential/digest.ts';
import type { KeyAnswer, KeyLookup } from './answer.ts';

/**
 * Looks up the owner of each key as well, in the same way: as a rule both are in memory, and the answer is there at once.
 * So the change of an owner reaches all of its keys with the next request, however many they are.
 */
export function withOwners(lookup: KeyLookup): KeyLookup {
  function join(answer: KeyAnswer): KeyAnswer | Promise<KeyAnswer> {
    if (answer.kind !== 'known' || answer.record.owner === undefined) return answer;
    const { record } = answer;
    const owner = lookup({ digest: ownerDigest(answer.record.owner.id), alternates: NONE });
    return owner instanceof Promise
      ? owner.then((late) => ({ kind: 'known', record, owner: late }))
      : { kind: 'known', record, owner };
  }

  return (digests, from) => {
    const answer = lookup(digests, from);
    return answer instanceof Promise ? answer.then(join) : join(answer);
  };
}

const NONE: readonly KeyDigest[] = [];
