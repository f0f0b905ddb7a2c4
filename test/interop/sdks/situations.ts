import { setTimeout as delay } from 'node:timers/promises';
import type { NewKey } from '../../../src/keys/new-key.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/wait.ts';
import { accountOf, complaint, isWhole, tellAccount } from './account.ts';
import type { Account } from './account.ts';
import type { Order, Protocol, Send, Sending } from './order.ts';
import { endOutage, mustHaveAnswered, mustNotHaveAnswered, openPlace, UNDECIDED, UNKNOWN_KEY } from './place.ts';
import type { Place, PlaceOptions } from './place.ts';

/** What an SDK gets into with Keygate: what it is asked to send, what happens meanwhile, and what must come of it. */

export type Happening =
  | 'good'
  | 'scheme'
  | 'unknown'
  | 'limited'
  | 'away2'
  | 'away60'
  | 'away60-known'
  | 'replaced'
  | 'restarted';

/** What an SDK does by its own rules, with one protocol. */
export interface Manner {
  /** Where it may lose something, and why. Where nothing is said, all has to arrive. */
  readonly loses: Readonly<Partial<Record<Happening, string>>>;
  /** Whether the words of a refusal are in its log; without them there is the status alone. */
  readonly tellsWhy: boolean;
}

export interface Sdk {
  readonly send: Send;
  readonly manners: Readonly<Partial<Record<Protocol, Manner>>>;
  /** What its keys and the gateway need to be for it. */
  readonly key?: KeyOptions;
  readonly config?: PlaceOptions['config'];
}

type KeyOptions = Omit<NewKey, 'kind' | 'name'>;

/** Those that send with each protocol, at the same time. */
interface Crew {
  readonly place: Place;
  readonly sendings: readonly Sending[];
  /** What has arrived of each so far. */
  accounts(): readonly Account[];
}

/** What is to be known of how it went. */
interface Aside {
  readonly told: string;
  /** Why anybody may have lost something. */
  readonly excuse?: string;
}

interface Situation {
  readonly title: string;
  readonly count: number;
  readonly pauseMs: number;
  readonly key?: KeyOptions;
  readonly header?: (key: string) => string;
  /** Why any of them may lose something here. */
  readonly excuse?: string;
  readonly place?: PlaceOptions;
  readonly before?: (place: Place) => void;
  readonly meanwhile?: (crew: Crew) => Promise<Aside | void>;
  /** Throws if the gateway did not give the answers that the situation is about. */
  readonly after?: (place: Place) => Promise<void>;
  readonly judge: (account: Account, manner: Manner, excuse: string | undefined) => string;
}

const ARRIVAL_MS = 60_000;
/** Every SDK that tries again does so for as long as this. On a machine that is busy a gateway takes longer to start. */
const PATIENCE_MS = 4_000;

const away = (seconds: number) => ({
  before: ({ redis }: Place) => redis.freeze(),
  meanwhile: async ({ place, sendings }: Crew) => {
    await Promise.all(sendings.map(({ begun }) => begun));
    await endOutage(place, seconds);
  },
  judge: judgeLoss,
});

/** Something of each has arrived: its key is in memory, and it is in the middle of its work. */
async function untilAllWork({ sendings, accounts }: Crew): Promise<void> {
  await Promise.all(sendings.map(({ begun }) => begun));
  const works = ({ spans, logs }: Account): boolean => spans.lost < spans.sent && logs.lost < logs.sent;
  await until('something of each sender has arrived', () => accounts().every(works), ARRIVAL_MS);
}

export const SITUATIONS: Readonly<Record<Happening, Situation>> = {
  good: {
    title: 'good key, as `x-api-key`',
    count: 100,
    pauseMs: 10,
    judge: judgeArrival,
  },
  scheme: {
    title: 'good key, as `authorization=ApiKey%20…`',
    count: 100,
    pauseMs: 10,
    header: (key) => `authorization=ApiKey%20${key}`,
    judge: judgeArrival,
  },
  unknown: {
    title: 'a key that nobody made (403)',
    count: 20,
    pauseMs: 0,
    header: () => `x-api-key=${UNKNOWN_KEY}`,
    after: (place) => mustHaveAnswered(place, 'reason="unknown_key"'),
    judge: judgeRefusal,
  },
  limited: {
    title: 'more requests than the key may send (429)',
    count: 60,
    pauseMs: 50,
    key: { limits: { requestsPerSecond: 2, requestBurst: 1 } },
    excuse: 'what is over the limit for longer than it tries is lost',
    after: (place) => mustHaveAnswered(place, 'reason="rate_limited"'),
    judge: judgeLoss,
  },
  away2: { title: 'key store away for 2 s, key not in memory (503)', count: 60, pauseMs: 50, ...away(2) },
  away60: { title: 'key store away for 60 s, key not in memory (503)', count: 700, pauseMs: 100, ...away(60) },
  'away60-known': {
    title: 'key store away for 60 s, key in memory',
    count: 700,
    pauseMs: 100,
    meanwhile: async (crew) => {
      await untilAllWork(crew);
      crew.place.redis.freeze();
      await delay(60_000);
      crew.place.redis.thaw();
    },
    after: (place) => mustNotHaveAnswered(place, UNDECIDED),
    judge: judgeArrival,
  },
  replaced: {
    title: 'gateway replaced behind one address',
    count: 100,
    pauseMs: 100,
    place: { behindOneAddress: true },
    meanwhile: async (crew) => {
      await untilAllWork(crew);
      await crew.place.replace();
    },
    judge: judgeLoss,
  },
  restarted: {
    title: 'the only gateway stopped, and started again',
    count: 100,
    pauseMs: 100,
    meanwhile: async (crew) => {
      await untilAllWork(crew);
      const awayMs = await crew.place.restart();
      return {
        told: `the gateway was away for ${(awayMs / 1_000).toFixed(1)} s`,
        ...(awayMs > PATIENCE_MS && { excuse: 'that is longer than SDKs try' }),
      };
    },
    judge: judgeLoss,
  },
};

/** What came of it, by protocol; each of these promises rejects if that is not as it must be. */
export async function play(
  happening: Happening,
  sdk: Sdk,
  scope: Scope,
): Promise<(protocol: Protocol) => Promise<string>> {
  const situation = SITUATIONS[happening];
  const { header = (key: string) => `x-api-key=${key}`, count, pauseMs } = situation;
  const place = await openPlace(scope, { ...situation.place, ...(sdk.config && { config: sdk.config }) });
  const orders: Order[] = [];
  for (const protocol of Object.keys(sdk.manners) as Protocol[]) {
    const name = protocol.replace('/', '-');
    const key = await place.createKey({ name, ...sdk.key, ...situation.key });
    const endpoint = place.endpoint(protocol);
    orders.push({ name, count, pauseMs, protocol, endpoint, header: header(key), ca: place.ca });
  }
  situation.before?.(place);
  const sent = orders.map((order) => ({ order, sending: sdk.send(scope, order) }));
  const aside = await situation.meanwhile?.({
    place,
    sendings: sent.map(({ sending }) => sending),
    accounts: () => orders.map((order) => accountOf(order, place.collector.arrivals, '')),
  });
  await Promise.allSettled(sent.map(({ sending }) => sending.ended));
  await situation.after?.(place);
  return async (protocol) => {
    const one = sent.find(({ order }) => order.protocol === protocol);
    const manner = sdk.manners[protocol];
    if (one === undefined || manner === undefined) throw new Error(`nothing was sent with ${protocol}`);
    const output = await one.sending.ended;
    const excuse = manner.loses[happening] ?? aside?.excuse ?? situation.excuse;
    const saw = situation.judge(accountOf(one.order, place.collector.arrivals, output), manner, excuse);
    return aside === undefined ? saw : `${saw} (${aside.told})`;
  };
}

/** Everything, and the counter too. */
function judgeArrival(account: Account): string {
  const told = tellAccount(account);
  if (!isWhole(account) || account.counters === 0) {
    throw new Error(`${told}; its counter ${account.counters} times; it says: ${account.output.slice(-300)}`);
  }
  return told;
}

function judgeRefusal({ spans, logs, counters, output }: Account, { tellsWhy }: Manner): string {
  if (spans.lost < spans.sent || logs.lost < logs.sent || counters > 0) throw new Error('some of it arrived');
  const line = complaint(output, /unknown_key/);
  if (line === undefined) throw new Error('it says nothing at all of the refusal');
  if (/unknown_key/.test(output) !== tellsWhy) throw new Error(`it says: ${line}`);
  return `dropped; ${tellsWhy ? 'it logs our reason' : 'it does not log our reason'}: \`${line}\``;
}

function judgeLoss(account: Account, _manner: Manner, excuse: string | undefined): string {
  const told = tellAccount(account);
  if (isWhole(account)) return told;
  const line = complaint(account.output, /store_unavailable|store_timeout|rate_limited|unavailable|503|429|refused/i);
  const said = line === undefined ? 'it says nothing of the rest' : `it says: \`${line}\``;
  if (excuse === undefined) throw new Error(`${told}; ${said}`);
  return `**${told}**: ${excuse}; ${said}`;
}
