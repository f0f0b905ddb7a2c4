import { setTimeout as delay } from 'node:timers/promises';
import type { NewKey } from '../../../src/keys/new-key.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/wait.ts';
import type { Scene } from '../scenes.ts';
import { ACTOR, openPlace, UNDECIDED, UNKNOWN_KEY } from '../sdks/place.ts';
import type { Place } from '../sdks/place.ts';
import { tellArrived } from './account.ts';
import type { Account } from './account.ts';

/** What those get into with Keygate that send on what others make, without end, and what must come of it. */

/** One that is at it. */
export interface Shipper {
  hasArrived(): boolean;
  account(untilMs: number): Promise<Account>;
  log(): string;
}

export interface Order<Column extends string> {
  readonly place: Place;
  readonly column: Column;
  readonly key: string;
  /** Of its own, beside what the example for it says. */
  readonly settings?: object | undefined;
}

export interface Kind<Column extends string> {
  /** Those that are here, in the words of the table. */
  readonly columns: readonly Column[];
  /** What it is given: samples, lines. */
  readonly items: string;
  start(scope: Scope, order: Order<Column>): Promise<Shipper>;
}

interface Crew {
  readonly place: Place;
  readonly shippers: readonly Shipper[];
  /** Something of each has arrived. */
  allWork(): Promise<void>;
}

export interface Situation<Column extends string = string> {
  readonly title: string;
  readonly key?: Pick<NewKey, 'limits'>;
  readonly givenKey?: string;
  readonly settings?: object;
  readonly before?: (place: Place) => Promise<void> | void;
  /** What happens while they send, and what the gateway must have answered by then. */
  readonly meanwhile: (crew: Crew) => Promise<void>;
  /** What is missing afterwards is not on its way: nobody waits for it. */
  readonly isOver?: true;
  /** In a few words; throws if it is not as it must be. If it says nothing, everything has to have arrived. */
  readonly judge?: (account: Account, log: string, column: Column) => string | undefined;
  readonly isLong?: true;
}

const PATIENCE_MS = 60_000;
const POLL_MS = 500;
const RATE_LIMITED = 'reason="rate_limited"';

const untilAnswered = (place: Place, labels: string): Promise<void> =>
  until(`an answer with ${labels}`, async () => (await place.answered(labels)) > 0, PATIENCE_MS);

async function forEachKey(place: Place, what: 'disable' | 'enable'): Promise<void> {
  for (const { id } of await place.keys.list('ingestion')) await place.keys[what]('ingestion', id, ACTOR);
}

const away = (seconds: number): Situation => ({
  title: `key store away for ${seconds} s, key not in memory (503)`,
  before: ({ redis }) => redis.freeze(),
  async meanwhile({ place, allWork }) {
    await untilAnswered(place, UNDECIDED);
    await delay(seconds * 1_000);
    place.redis.thaw();
    await allWork();
  },
});

export const SITUATIONS = {
  good: {
    title: 'good key',
    async meanwhile({ allWork }) {
      await allWork();
      await delay(5_000);
    },
  },
  unknown: {
    title: 'a key that nobody made (403)',
    givenKey: UNKNOWN_KEY,
    async meanwhile({ place, shippers }) {
      await untilAnswered(place, 'reason="unknown_key"');
      const hasSaid = (shipper: Shipper): boolean => /\b403\b|PermissionDenied/.test(shipper.log());
      await until('each says something of it', () => shippers.every(hasSaid), PATIENCE_MS);
    },
    isOver: true,
  },
  disabled: {
    title: 'key disabled for some seconds (403)',
    before: (place) => forEachKey(place, 'disable'),
    async meanwhile({ place, allWork }) {
      await untilAnswered(place, 'reason="disabled_key"');
      await delay(3_000);
      await forEachKey(place, 'enable');
      await allWork();
    },
  },
  limited: {
    title: 'over the limit of its key for some seconds (429)',
    key: { limits: { requestsPerSecond: 1, requestBurst: 1 } },
    async meanwhile({ place, allWork }) {
      await allWork();
      await untilAnswered(place, RATE_LIMITED);
      await delay(5_000);
      for (const { id } of await place.keys.list('ingestion')) {
        await place.keys.update('ingestion', id, { limits: null }, ACTOR);
      }
      await delay(3_000);
    },
  },
  away2: away(2),
  away60: { ...away(60), isLong: true },
  away60Known: {
    title: 'key store away for 60 s, key in memory',
    async meanwhile({ place, allWork }) {
      await allWork();
      const before = await place.answered(UNDECIDED); // before the gateway had reached its store
      place.redis.freeze();
      await delay(60_000);
      place.redis.thaw();
      const times = (await place.answered(UNDECIDED)) - before;
      if (times > 0) throw new Error(`the gateway answered ${times} times with ${UNDECIDED}`);
    },
    isLong: true,
  },
  restarted: {
    title: 'the only gateway stopped, and started again',
    async meanwhile({ place, allWork }) {
      await allWork();
      await place.restart();
      await delay(3_000);
      await untilAnswered(place, 'verdict="allow"');
    },
  },
} as const satisfies Readonly<Record<string, Situation>>;

export function toScene<Column extends string>(situation: Situation<Column>, kind: Kind<Column>): Scene<Column> {
  const { title, isLong = false } = situation;
  return { title, isLong, play: (scope) => play(situation, kind, scope) };
}

async function play<Column extends string>(
  { key: wanted, givenKey, settings, before, meanwhile, isOver, judge }: Situation<Column>,
  { columns, items, start }: Kind<Column>,
  scope: Scope,
): Promise<(column: Column) => Promise<string>> {
  const place = await openPlace(scope);
  const orders: Order<Column>[] = [];
  for (const column of columns) {
    // In any case: a store in which there never was a key says nothing of any.
    const key = await place.createKey({ name: column.replaceAll('`', ''), ...wanted });
    orders.push({ place, column, key: givenKey ?? key, settings });
  }
  await before?.(place);
  const shippers = new Map(
    await Promise.all(orders.map(async (order) => [order.column, await start(scope, order)] as const)),
  );
  const all = [...shippers.values()];
  const allWork = (): Promise<void> =>
    until('something of each has arrived', () => all.every((shipper) => shipper.hasArrived()), PATIENCE_MS);
  await meanwhile({ place, shippers: all, allWork });
  const end = Date.now();
  return async (column) => {
    const shipper = shippers.get(column);
    if (shipper === undefined) throw new Error(`${column} was not started`);
    const account = await (isOver ? shipper.account(end) : settled(shipper, end));
    try {
      return judge?.(account, shipper.log(), column) ?? judgeArrival(account, items);
    } catch (cause) {
      throw new Error(`${String(cause)}: ${tellArrived(account, items)}; it says: ${shipper.log().slice(-300)}`, {
        cause,
      });
    }
  };
}

/** When it counts as lost what is missing; or as it is when patience ends. */
async function settled(shipper: Shipper, end: number): Promise<Account> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const account = await shipper.account(end);
    if (account.lost === account.dropped || performance.now() > deadline) return account;
    await delay(POLL_MS);
  }
}

function judgeArrival(account: Account, items: string): string {
  if (account.lost > 0 || account.doubled > 0 || account.dropped > 0) throw new Error('not everything arrived once');
  return tellArrived(account, items);
}

/** A part is lost, the neighbour counts it, and its log has these words. */
export function judgeLoss(account: Account, items: string, log: string, words: string): string {
  if (account.lost === 0 || account.lost !== account.dropped || account.doubled > 0) {
    throw new Error('what is lost is not what it counts as lost');
  }
  if (!log.includes(words)) throw new Error(`it does not say: ${words}`);
  return `**${tellArrived(account, items)}**, and logs \`${words}\``;
}
