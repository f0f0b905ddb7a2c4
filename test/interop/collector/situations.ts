import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Signal } from '../../../src/keys/record.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/wait.ts';
import { Load, startFleet } from './fleet.ts';
import type { Sender } from './fleet.ts';
import { ACTOR, SEEN_CREDENTIALS } from './place.ts';
import type { Place } from './place.ts';
import { README_ROWS, TOKEN_FILE } from './senders.ts';
import type { SenderRow } from './senders.ts';

/** Everything that a situation may use. */
export interface Scene extends Place {
  readonly program: string;
  /** One Collector for each row; they run through all situations. */
  readonly senders: readonly Sender[];
  readonly keyOf: (row: SenderRow) => { readonly text: string; readonly id: string };
}

/** What is said of a row, once a situation is over; throws if something was not as it must be. */
export type Verdict = (sender: Sender) => string | Promise<string>;

/** The first attempt after an outage may be as late as its exporter's longest pause. */
const ARRIVES_WITHIN_MS = 120_000;
/** What would come twice has come by then. */
const SETTLE_MS = 2_000;
const EACH = 20;
const REFUSED = 5;
const OUTAGE_MS = 60_000;

/** Own counters of a Collector's exporters. */
const ITEMS: Readonly<Record<Signal, string>> = {
  traces: 'spans',
  metrics: 'metric_points',
  logs: 'log_records',
  profiles: 'profile_samples',
};

export async function accepted({ senders, sink, keyOf }: Scene): Promise<Verdict> {
  const load = new Load('accepted');
  await load.feedAll(senders, EACH);
  const arrived = await arrivals(load, senders, sink);
  return async (sender) => {
    const { row, otelcol } = sender;
    const { text, id } = keyOf(row);
    const count = arrived(row);
    assert.equal(count, EACH * row.signals.length);
    for (const signal of row.signals) {
      const headers = sink.headersOf(load.clientOf(sender, signal)) ?? {};
      const told = ['x-keygate-key-id', 'x-keygate-key-name', 'x-scope-orgid'].map((name) => headers[name]);
      assert.deepEqual(told, [id, keyName(row), TENANT], `${signal}: what the Collector behind was told`);
      for (const name of SEEN_CREDENTIALS) assert.equal(headers[name] ?? '', '', `${signal}: it was told a credential`);
      assert.equal(await otelcol.metric(`otelcol_exporter_sent_${ITEMS[signal]}`), EACH, `it counts its ${signal}`);
    }
    assert.ok(!sink.holds(text), 'the key came through');
    return `${count} of ${count} arrived once: ${row.signals.join(', ')}; with the key's id, name and tenant, without the key`;
  };
}

export const TENANT = 'interop';

export function keyName(row: SenderRow): string {
  return row.name.replaceAll(/[^A-Za-z0-9]+/g, '-');
}

/** With Collectors of their own, whose key was revoked before. */
export async function revoked(scene: Scene, scope: Scope): Promise<Verdict> {
  const { text, record } = await scene.keys.create({ kind: 'ingestion', name: 'revoked' }, ACTOR);
  await scene.keys.revoke('ingestion', record.id, ACTOR, { force: true });
  const rows = scene.senders.map(({ row }) => row);
  const fleet = await startFleet(
    scope,
    fleetOptions(scene, rows, () => text),
  );
  const load = new Load('revoked');
  await Promise.all(
    fleet.map(async (sender) => {
      for (let n = 0; n < REFUSED; n++) await load.feed(sender, 'traces');
    }),
  );
  const dropped = ({ otelcol }: Sender): Promise<number> => otelcol.metric('otelcol_exporter_send_failed_spans');
  await Promise.allSettled(
    fleet.map((sender) => until('it gives up', async () => (await dropped(sender)) === REFUSED, ARRIVES_WITHIN_MS)),
  );
  return async ({ id, row }) => {
    const sender = fleet[id] as Sender;
    assert.equal(await dropped(sender), REFUSED, 'what it has dropped');
    assert.deepEqual(
      load.taken(row).filter((name) => scene.sink.times(name) > 0),
      [],
      'what arrived all the same',
    );
    const log = sender.otelcol.log();
    const drops = log.filter(({ msg }) => msg.startsWith('Exporting failed. Dropping data.'));
    assert.ok(drops.length > 0, 'it says nothing of what it drops');
    assert.deepEqual(
      log.filter(({ msg }) => msg.startsWith('Exporting failed. Will retry')),
      [],
      'it retries',
    );
    const said = drops[0]?.error ?? '';
    if (!row.saysWhy) {
      assert.match(said, /403/);
      return `${REFUSED} of ${REFUSED} dropped at once; its log says 403 and not why: it reads every error as protobuf`;
    }
    assert.match(said, new RegExp(`The key was revoked\\..*revoked_key, key ${record.id}, request `));
    return `${REFUSED} of ${REFUSED} dropped at once; its log: "Dropping data ... The key was revoked. Create a new one and update the sender. (revoked_key, key ${record.id} ..."`;
  };
}

export async function gatewayRestarted({ senders, sink, gateways }: Scene): Promise<Verdict> {
  const load = new Load('gateway');
  await during(load, senders, async () => {
    await delay(3_000);
    for (const gateway of Object.values(gateways)) {
      await gateway.stop();
      await gateway.start();
    }
    await delay(3_000);
  });
  const arrived = await arrivals(load, senders, sink);
  return ({ row }) => `${arrived(row)} batches, all arrived once`;
}

export async function collectorRestarted({ senders, sink, behind }: Scene): Promise<Verdict> {
  const load = new Load('collector');
  await during(load, senders, async () => {
    await delay(3_000);
    await behind.current().stop();
    await delay(5_000);
    await behind.start();
    await delay(3_000);
  });
  const arrived = await arrivals(load, senders, sink);
  return ({ row }) => `away for 5 s; ${arrived(row)} batches, all arrived once`;
}

/** A Redis that takes connections and answers nothing; and what that does to keys that a gateway knows, and to those that it does not. */
export async function storeOutage(
  scene: Scene,
  scope: Scope,
): Promise<readonly [known: Verdict, unseen: Verdict, fresh: Verdict]> {
  const { senders, redis, sink, keys } = scene;
  const unseenKey = await keys.create({ kind: 'ingestion', name: 'never seen' }, ACTOR);
  const unseen = await startFleet(
    scope,
    fleetOptions(scene, README_ROWS, () => unseenKey.text),
  );
  const gateway = await scene.fresh();
  const knownLoad = new Load('outage');
  const unseenLoad = new Load('unseen');
  const freshLoad = new Load('fresh');
  redis.freeze();
  scope.after(() => redis.thaw());
  await gateway.start();
  const fresh = await startFleet(scope, {
    ...fleetOptions(scene, README_ROWS, (row) => scene.keyOf(row).text),
    gatewayFor: () => gateway,
  });
  const late = new Map<SenderRow, string[]>();
  await during(unseenLoad, unseen, () =>
    during(freshLoad, fresh, () =>
      during(knownLoad, senders, async () => {
        await delay(OUTAGE_MS);
        for (const { row } of senders) {
          const old = knownLoad.taken(row).slice(0, -KNOWN_UNDER_WAY);
          late.set(
            row,
            old.filter((name) => sink.times(name) === 0),
          );
        }
        for (const [load, fleet] of [[unseenLoad, unseen] as const, [freshLoad, fresh] as const])
          for (const { row } of fleet)
            assert.deepEqual(
              load.taken(row).filter((name) => sink.times(name) > 0),
              [],
              'let through without an answer of the store',
            );
        redis.thaw();
      }),
    ),
  );
  const known = await arrivals(knownLoad, senders, sink);
  const afterwards = [await arrivals(unseenLoad, unseen, sink), await arrivals(freshLoad, fresh, sink)] as const;
  const retried = (arrived: (row: SenderRow) => number, fleet: readonly Sender[]): Verdict => {
    return async ({ row }) => {
      const sender = fleet.find((each) => each.row === row);
      const said = sender?.otelcol.log().find(({ msg }) => msg.startsWith('Exporting failed. Will retry'))?.error ?? '';
      assert.match(said, /(?:UNAVAILABLE|Unavailable|503).*key store/);
      return `kept for ${OUTAGE_MS / 1_000} s ("... so the key could not be checked. Keep the data and retry."); ${arrived(row)} batches, all arrived once`;
    };
  };
  return [
    ({ row }) => {
      assert.equal(named(late.get(row) ?? []), 'none', 'what had to wait for the store');
      return `notices nothing: ${known(row)} batches in ${OUTAGE_MS / 1_000} s, all arrived once and at once`;
    },
    retried(afterwards[0], unseen),
    retried(afterwards[1], fresh),
  ];
}

/** Batches that a sender may have taken a moment ago, of those that go on at once. */
const KNOWN_UNDER_WAY = 40;

/** Both keys work; the file changes; the old one is ended once the new one is in use. */
export async function keyRotated({ senders, sink, keys, keyOf }: Scene): Promise<Verdict> {
  const sender = senders.find(({ row }) => row === TOKEN_FILE) as Sender;
  const { id } = keyOf(TOKEN_FILE);
  const before = new Load('before rotation');
  const after = new Load('after rotation');
  let successor = '';
  await during(before, [sender], async () => {
    await delay(2_000);
    const rotated = await keys.rotate('ingestion', id, {}, ACTOR);
    successor = rotated.record.id;
    await sender.rewriteKey(rotated.text);
    await delay(2_000);
  });
  await during(after, [sender], async () => {
    const client = after.clientOf(sender, 'traces');
    await until('the new key is in use', () => sink.headersOf(client)?.['x-keygate-key-id'] === successor, 10_000);
    await keys.revoke('ingestion', id, ACTOR, { force: true });
    await delay(3_000);
  });
  const count =
    (await arrivals(before, [sender], sink))(TOKEN_FILE) + (await arrivals(after, [sender], sink))(TOKEN_FILE);
  return () =>
    `no restart: the file was written anew, the old key revoked; ${count} batches, all arrived once, the last with the new key`;
}

export async function soak({ senders, sink }: Scene, seconds: number): Promise<Verdict> {
  const load = new Load('soak');
  await during(load, senders, () => delay(seconds * 1_000));
  const arrived = await arrivals(load, senders, sink);
  return ({ row }) => `${seconds} s: ${arrived(row)} batches, none lost, none twice`;
}

function fleetOptions(scene: Scene, rows: readonly SenderRow[], keyFor: (row: SenderRow) => string) {
  const { program, gateways, certificate } = scene;
  return { program, rows, keyFor, gatewayFor: (row: SenderRow) => gateways[row.over], ca: certificate.certPath };
}

/** Feeds while something happens, and until what was being fed then is taken. */
export async function during(load: Load, senders: readonly Sender[], what: () => Promise<unknown>): Promise<void> {
  const stop = new AbortController();
  const feeding = load.feedUntil(senders, stop.signal);
  try {
    await what();
  } finally {
    stop.abort();
    await feeding;
  }
}

/** Waits for all that was taken; what is returned tells how much that was of a row, or throws if anything is lost or doubled. */
export async function arrivals(
  load: Load,
  senders: readonly Sender[],
  sink: Place['sink'],
): Promise<(row: SenderRow) => number> {
  const missing = (row: SenderRow): string[] => load.taken(row).filter((name) => sink.times(name) === 0);
  const isDone = (): boolean => senders.every(({ row }) => missing(row).length === 0);
  await until('all has arrived', isDone, ARRIVES_WITHIN_MS).catch(() => {}); // by row, below
  await delay(SETTLE_MS);
  return (row) => {
    const taken = load.taken(row);
    assert.ok(taken.length > 0, 'it took nothing that was fed to it');
    assert.equal(named(missing(row)), 'none', `lost of ${taken.length} batches`);
    const twice = taken.filter((name) => sink.times(name) > 1);
    assert.equal(named(twice), 'none', `doubled of ${taken.length} batches`);
    return taken.length;
  };
}

/** How many, and some of them. */
function named(names: readonly string[]): string {
  return names.length === 0 ? 'none' : `${names.length}, such as ${names.slice(0, 3).join(' ')}`;
}
