import { setTimeout as delay } from 'node:timers/promises';
import type { NewKey } from '../../../src/keys/new-key.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/wait.ts';
import type { Scene } from '../scenes.ts';
import { ACTOR, mustHaveAnswered, mustNotHaveAnswered, openPlace, UNDECIDED, UNKNOWN_KEY } from '../sdks/place.ts';
import type { Place } from '../sdks/place.ts';
import { accountOf, createLedger, tell } from './account.ts';
import type { Account, Ledger } from './account.ts';
import { startWriter } from './senders.ts';
import type { Column, Writer } from './senders.ts';

/** What a Prometheus gets into with Keygate, and what must come of it. */
interface Situation {
  readonly title: string;
  readonly key?: Pick<NewKey, 'limits'>;
  readonly givenKey?: string;
  /** Of its queue, beside what the example says. */
  readonly queue?: object;
  readonly before?: (place: Place) => void;
  /** What happens while it writes, and what the gateway must have answered by then. */
  readonly meanwhile: (place: Place, allWork: () => Promise<void>) => Promise<void>;
  readonly judge: (account: Account, log: string) => string;
  readonly isLong?: true;
}

const PATIENCE_MS = 60_000;
const POLL_MS = 500;

const untilAnswered = (place: Place, labels: string): Promise<void> =>
  until(`an answer with ${labels}`, async () => (await place.answered(labels)) > 0, PATIENCE_MS);

const away = (seconds: number) => ({
  title: `key store away for ${seconds} s, key not in memory (503)`,
  before: ({ redis }: Place) => redis.freeze(),
  meanwhile: async (place: Place, allWork: () => Promise<void>) => {
    await untilAnswered(place, UNDECIDED);
    await delay(seconds * 1_000);
    place.redis.thaw();
    await allWork();
  },
  judge: judgeArrival,
});

const limited = {
  key: { limits: { requestsPerSecond: 1, requestBurst: 1 } },
  meanwhile: async (place: Place, allWork: () => Promise<void>) => {
    await allWork();
    await untilAnswered(place, RATE_LIMITED);
    await delay(5_000);
    for (const { id } of await place.keys.list('ingestion')) {
      await place.keys.update('ingestion', id, { limits: null }, ACTOR);
    }
    await delay(3_000);
  },
};
const RATE_LIMITED = 'reason="rate_limited"';

export const SITUATIONS: readonly Situation[] = [
  {
    title: 'good key',
    meanwhile: async (_place, allWork) => {
      await allWork();
      await delay(5_000);
    },
    judge: judgeArrival,
  },
  {
    title: 'a key that nobody made (403)',
    givenKey: UNKNOWN_KEY,
    meanwhile: (place) => untilAnswered(place, 'reason="unknown_key"'),
    judge: judgeRefusal,
  },
  { title: 'over the limit of its key for some seconds (429), `retry_on_http_429`', ...limited, judge: judgeArrival },
  {
    title: 'the same without `retry_on_http_429`',
    ...limited,
    queue: { retry_on_http_429: false },
    judge: judgeLoss,
  },
  away(2),
  { ...away(60), isLong: true },
  {
    title: 'key store away for 60 s, key in memory',
    meanwhile: async (place, allWork) => {
      await allWork();
      place.redis.freeze();
      await delay(60_000);
      place.redis.thaw();
      await mustNotHaveAnswered(place, UNDECIDED);
    },
    judge: judgeArrival,
    isLong: true,
  },
  {
    title: 'the only gateway stopped, and started again',
    meanwhile: async (place, allWork) => {
      await allWork();
      await place.restart();
      await delay(3_000);
      await mustHaveAnswered(place, 'verdict="allow"');
    },
    judge: judgeArrival,
  },
];

export function toScene(situation: Situation, columns: readonly Column[]): Scene<Column> {
  return {
    title: situation.title,
    isLong: situation.isLong ?? false,
    play: (scope) => play(situation, columns, scope),
  };
}

async function play(
  { key: limits, givenKey, queue, before, meanwhile, judge }: Situation,
  columns: readonly Column[],
  scope: Scope,
): Promise<(column: Column) => Promise<string>> {
  const place = await openPlace(scope);
  const ledger = createLedger(place.collector);
  const keys: (readonly [Column, string])[] = [];
  for (const column of columns) {
    keys.push([column, givenKey ?? (await place.createKey({ name: column.replaceAll('`', ''), ...limits }))]);
  }
  before?.(place);
  const writers = new Map(
    await Promise.all(
      keys.map(async ([column, key]) => [column, await startWriter(scope, place, { column, key, queue })] as const),
    ),
  );
  const works = ({ job }: Writer): boolean =>
    [...ledger().keys()].some((sample) => sample.includes(JSON.stringify(['job', job])));
  const allWork = (): Promise<void> =>
    until('something of each has arrived', () => [...writers.values()].every(works), PATIENCE_MS);
  await meanwhile(place, allWork);
  const end = Date.now();
  return async (column) => {
    const writer = writers.get(column);
    if (writer === undefined) throw new Error(`${column} was not started`);
    return judge(await settled(writer, ledger, end), writer.prometheus.log());
  };
}

/** When it has given up on as many as are missing; or as it is when patience ends. */
async function settled(writer: Writer, ledger: Ledger, end: number): Promise<Account> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const account = await accountOf(writer, ledger, end);
    const isDone = account.lost === account.failed || account.failed >= account.scraped;
    if (isDone || performance.now() > deadline) return account;
    await delay(POLL_MS);
  }
}

function judgeArrival(account: Account, log: string): string {
  if (account.lost > 0 || account.doubled > 0 || account.failed > 0) {
    throw new Error(`${tell(account)}; it says: ${log.slice(-300)}`);
  }
  return tell(account);
}

function judgeLoss(account: Account, log: string): string {
  const line = /429 Too Many Requests/.exec(log)?.[0];
  if (account.lost === 0 || account.lost !== account.failed || account.doubled > 0 || line === undefined) {
    throw new Error(`${tell(account)}; it says: ${log.slice(-300)}`);
  }
  return `**${tell(account)}**, and logs \`${line}\``;
}

function judgeRefusal(account: Account, log: string): string {
  const line = /server returned HTTP status 403 Forbidden: .*?(The key is not known here\.)/.exec(log);
  if (account.lost < account.scraped || account.failed === 0 || line === null) {
    throw new Error(`${tell(account)}; it says: ${log.slice(-300)}`);
  }
  return `dropped; it counts them as failed, and logs \`server returned HTTP status 403 Forbidden: … ${line[1]}\``;
}
