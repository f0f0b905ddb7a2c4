import type { Config } from '../config/schema.ts';
import type { Others } from '../reload.ts';
import type { Member } from './member.ts';

/**
 * How all workers come to one configuration, or stay with the one that they have. All that serve judge it, and one that cannot use
 * it, or does not answer, is enough for none to take it. Whoever is starting meanwhile adopts what the others take, and has no say: what
 * it needs to start may be just that. One that ends is replaced by one that begins with what holds then.
 */
export function createAgreement(members: () => readonly Member[]): Others {
  let judged: { readonly config: Config; readonly by: readonly Member[] } | undefined;
  return {
    async prepare(config) {
      const by = members().filter(({ stage }) => stage !== 'starting');
      judged = { config, by };
      const refusals = await Promise.all(
        by.map(async (member) => ({ worker: member.worker, why: await member.prepare(config) })),
      );
      const first = refusals.find(({ why }) => why !== undefined);
      return first && `worker ${first.worker}: ${first.why}`;
    },
    async take() {
      if (judged === undefined) return;
      const { config, by } = judged;
      judged = undefined;
      const taken = members().map((member) => (by.includes(member) ? member.take() : member.adopt(config)));
      await Promise.all(taken);
    },
  };
}
