/**
 * What was seen of the traffic while somebody looks: the gateway counts since it started, so a rate is what lies between two
 * looks. At most this long is kept.
 */
const SPAN_MS = 5 * 60_000;

/** @typedef {'allow' | 'deny' | 'undecided' | 'cancelled'} Verdict */
/** @typedef {{ verdict: Verdict, reason?: string, count: number }} Outcome */

/** @type {Verdict[]} */
export const VERDICTS = ['allow', 'deny', 'undecided', 'cancelled'];

export function createHistory() {
  /** @type {{ at: number, outcomes: Outcome[] }[]} */
  const looks = [];

  /** @param {Outcome[] | undefined} outcomes @param {(outcome: Outcome) => boolean} wanted */
  const sum = (outcomes, wanted) => (outcomes ?? []).filter(wanted).reduce((total, { count }) => total + count, 0);

  return {
    /** @param {{ at: number, since: number, outcomes: Outcome[] }} traffic */
    note({ at, since, outcomes }) {
      // A gateway that was started anew counts from zero: what was before is of no use.
      if (looks.some((look) => look.at < since)) looks.length = 0;
      looks.push({ at, outcomes });
      while (at - (looks[0]?.at ?? at) > SPAN_MS) looks.shift();
    },
    /** For each look but the first, how many a second there were since the one before. @param {Verdict} verdict */
    rates(verdict) {
      const isOf = (/** @type {Outcome} */ outcome) => outcome.verdict === verdict;
      return looks.slice(1).map(({ at, outcomes }, index) => {
        const before = looks[index];
        const seconds = (at - (before?.at ?? at)) / 1_000;
        return { at, value: seconds > 0 ? (sum(outcomes, isOf) - sum(before?.outcomes, isOf)) / seconds : 0 };
      });
    },
    /** @param {Verdict} verdict */
    total: (verdict) => sum(looks.at(-1)?.outcomes, (outcome) => outcome.verdict === verdict),
    /** Refusals by reason, the most frequent of late first. */
    reasons() {
      const [first, before, last] = [looks[0], looks.at(-2), looks.at(-1)];
      const seconds = before === undefined || last === undefined ? 0 : (last.at - before.at) / 1_000;
      const isOf =
        (/** @type {Outcome} */ wanted) =>
        (/** @type {Outcome} */ { reason }) =>
          reason === wanted.reason;
      return (last?.outcomes ?? [])
        .filter(({ reason }) => reason !== undefined)
        .map((outcome) => ({
          reason: outcome.reason ?? '',
          verdict: outcome.verdict,
          perSecond: seconds > 0 ? (outcome.count - sum(before?.outcomes, isOf(outcome))) / seconds : 0,
          lately: outcome.count - sum(first?.outcomes, isOf(outcome)),
          total: outcome.count,
        }))
        .toSorted((a, b) => b.lately - a.lately || b.total - a.total);
    },
    isEmpty: () => looks.length < 2,
    /** How long it goes back. */
    spanMs: () => (looks.at(-1)?.at ?? 0) - (looks[0]?.at ?? 0),
  };
}
