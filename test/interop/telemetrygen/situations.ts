import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/wait.ts';
import type { Scene } from '../scenes.ts';
import { complaint } from '../sdks/account.ts';
import { endOutage, mustHaveAnswered, openPlace, UNKNOWN_KEY } from '../sdks/place.ts';
import type { Place } from '../sdks/place.ts';
import { arrivedOf, BATCH, generate, LANES, protocolOf } from './lanes.ts';
import type { Ended, Lane, Parts } from './lanes.ts';

/** What telemetrygen gets into with Keygate, and what must come of it. */
export interface Situation {
  readonly title: string;
  readonly items: number;
  readonly key?: Omit<Parameters<Place['createKey']>[0], 'name'>;
  /** What it sends in place of a key that is good. */
  readonly wrongKey?: string;
  readonly before?: (place: Place) => void;
  /** What is to be known of how it went. */
  readonly meanwhile?: (place: Place) => Promise<string | void>;
  /** In the labels of /metrics, an answer that the gateway has to have given. */
  readonly answer?: string;
  /** Why it may lose something. Where nothing is said, all has to arrive. */
  readonly loses?: Readonly<Record<Parts['protocol'], string>>;
  readonly judge: (outcome: Outcome) => string;
}

interface Outcome extends Ended {
  readonly items: number;
  readonly arrived: number;
  readonly excuse: string | undefined;
}

const ARRIVAL_MS = 60_000;
const FEW_TRIES =
  'its second try comes after 2.5 to 7.5 s, and a third may come too late for the 10 s that a batch has';
const CAUSE = /rpc error|connection refused|deadline exceeded/;
/** A line of each batch that it gave up. After one of the second kind it ends. */
const GIVEN_UP = /traces export: |\tFATAL\t/g;

async function untilAllWork({ collector }: Place): Promise<void> {
  const works = (): boolean => LANES.every((lane) => arrivedOf(lane, collector.arrivals) > 0);
  await until('something of each has arrived', works, ARRIVAL_MS);
}

export const SITUATIONS: readonly Situation[] = [
  { title: 'good key', items: 40, judge: judgeArrival },
  {
    title: 'a key that nobody made (403)',
    items: 20,
    wrongKey: UNKNOWN_KEY,
    answer: 'reason="unknown_key"',
    judge: judgeRefusal,
  },
  {
    title: 'more requests than the key may send (429)',
    items: 30,
    key: { limits: { requestsPerSecond: 2, requestBurst: 1 } },
    answer: 'reason="rate_limited"',
    judge: judgeArrival,
  },
  {
    title: 'key store away for 2 s, key not in memory (503)',
    items: 40,
    before: ({ redis }) => redis.freeze(),
    meanwhile: (place) => endOutage(place, 2),
    loses: { grpc: FEW_TRIES, 'http/protobuf': FEW_TRIES },
    judge: judgeArrival,
  },
  {
    title: 'the only gateway stopped, and started again',
    items: 200,
    meanwhile: async (place) => {
      await untilAllWork(place);
      return `the gateway was away for ${((await place.restart()) / 1_000).toFixed(1)} s`;
    },
    loses: { grpc: FEW_TRIES, 'http/protobuf': 'over HTTP it does not try again where nobody listens' },
    judge: judgeArrival,
  },
];

/** All signals and protocols at the same time, each with a key of its own. */
export function sceneOf({ title, items, answer, ...situation }: Situation, program: string): Scene<Lane> {
  return {
    title,
    isLong: false,
    async play(scope: Scope) {
      const place = await openPlace(scope);
      const withKeys = LANES.map(async (lane) => {
        const key = await place.createKey({ name: lane, ...situation.key });
        return { lane, key: situation.wrongKey ?? key };
      });
      const loads = await Promise.all(withKeys);
      situation.before?.(place);
      const runs = loads.map(({ lane, key }) => {
        const endpoint = place.endpoint(protocolOf(lane));
        return [lane, generate(scope, program, { lane, items, endpoint, key, ca: place.ca })] as const;
      });
      const ended = Promise.allSettled(runs.map(([, run]) => run));
      const told = await situation.meanwhile?.(place);
      await ended;
      if (answer !== undefined) await mustHaveAnswered(place, answer);
      return async (lane) => {
        const { code, said } = await (new Map(runs).get(lane) as Promise<Ended>);
        const excuse = situation.loses?.[protocolOf(lane)];
        const arrived = arrivedOf(lane, place.collector.arrivals);
        const saw = situation.judge({ code, said, items, arrived, excuse });
        return told === undefined ? saw : `${saw} (${told})`;
      };
    },
  };
}

/** What it loses by itself it says, batch by batch; whatever else is missing was lost by the gateway. */
function judgeArrival({ items, arrived, code, said, excuse }: Outcome): string {
  if (arrived === items && code === 0) return `all ${items} arrived, once`;
  const told = `${arrived} of ${items} arrived, once`;
  const givenUp = said.match(GIVEN_UP)?.length ?? 0;
  const isSaid = code === 0 ? items - arrived <= givenUp * BATCH : givenUp === 1;
  if (excuse === undefined || !isSaid) {
    throw new Error(`${told}; it ended with ${code}, and gave up ${givenUp} batches; ${tellComplaint(said, CAUSE)}`);
  }
  return `**${told}**: ${excuse}; ${tellEnd(code)}${tellComplaint(said, CAUSE)}`;
}

function judgeRefusal({ arrived, code, said }: Outcome): string {
  if (arrived > 0) throw new Error(`${arrived} arrived`);
  if (!said.includes('unknown_key')) throw new Error(`it does not say why: ${tellComplaint(said, /403/)}`);
  return `dropped; ${tellEnd(code)}it logs our reason: ${tellComplaint(said, /unknown_key/)}`;
}

function tellEnd(code: number | null): string {
  return code === 0 ? '' : `it ends with exit code ${code}; `;
}

function tellComplaint(said: string, words: RegExp): string {
  const line = complaint(said, words);
  return line === undefined ? 'it says nothing' : `\`${line}\``;
}
