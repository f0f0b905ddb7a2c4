import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { debianProgram } from '../conformance/toolchain.ts';
import { findPort } from '../support/ports.ts';
import { Cleanups } from '../support/scope.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { startHaproxy } from './haproxy.ts';
import type { Haproxy } from './haproxy.ts';
import { Ledger } from './ledger.ts';
import type { Phase } from './ledger.ts';
import type { LoadOrder, Told } from './load.ts';
import { startReloadedGateway } from './reloads.ts';
import { createReplica } from './replicas.ts';
import type { Replica } from './replicas.ts';
import { faultsOf, rateOf, renderOutage, renderParts, renderReloads } from './report.ts';
import { createCollector, openSite } from './site.ts';

/**
 * `npm run test:rolling [-- requests a second]`: two gateways on one Redis behind the two HAProxies of config/haproxy, senders of every
 * kind, and a collector that knows each batch by its name. The gateways, of which the second has two workers, are restarted one after
 * the other, twice; then the collector is. Then two more gateways are reloaded, before which there is no HAProxy, and the workers of
 * the one that has some are replaced. No batch may be lost, and none may arrive twice. How long they take is told, and fails nothing:
 * on a machine that is shared, times lie.
 */
const wanted = Number(process.argv[2] ?? 2_000);
/** Real exporters are made for tens of requests a second, not for hundreds. */
const SDK_PER_SECOND = 50;
const WARM_UP_MS = 5_000;
/** A machine that reaches less than this share of what is wanted is given so much of what it could do: full, it shows nothing but itself. */
const REACHED = 0.95;
const SUSTAINABLE = 0.6;
const STEADY_MS = 8_000;
const ROLLS = 2;
const WORKERS = 2;
/** What was sent before, in a phase in which nothing may fail, has been answered by then. */
const SETTLE_MS = 3_000;
const COLLECTOR_AWAY_MS = 1_000;
/** Until what was told to come back has done so. */
const RECOVERY_MS = 7_000;

/** By what HAProxy looks at. */
const EXAMPLES = { tcp: 'haproxy.cfg', http: 'haproxy-http.cfg' } as const;

/** Where senders send to, and what it is called. */
interface Target extends Pick<Haproxy, 'grpcUrl' | 'httpUrl'> {
  readonly mode: string;
}

type Front = Target & Haproxy;

const haproxy = debianProgram('haproxy');
const scope = new Cleanups();
const ledger = new Ledger();
const phases = new Map<string, Phase[]>();

async function during(name: string, what: () => Promise<unknown>): Promise<void> {
  const fromMs = Date.now();
  console.log(`${name} ...`);
  await what();
  const phase = { name, fromMs, toMs: Date.now() };
  phases.set(name, [...(phases.get(name) ?? []), phase]);
}

/** All senders at each of these. */
function startLoad(fronts: readonly Target[], key: string, perSecond: number, authorities = ''): Child {
  const order: LoadOrder = { clients: clientsOf(fronts, perSecond), key };
  const hear = (told: readonly unknown[]): void => {
    for (const one of told) ledger.tell(one as Told);
  };
  // grpc-js has a variable of its own.
  const trust = { NODE_EXTRA_CA_CERTS: authorities, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: authorities };
  return startChild(scope, 'load.ts', [JSON.stringify(order)], hear, trust);
}

function clientsOf(fronts: readonly Target[], perSecond: number): LoadOrder['clients'] {
  const each = perSecond / (2 * fronts.length);
  const sdkPerSecond = Math.min(SDK_PER_SECOND, each / 2);
  return fronts.flatMap(({ mode, grpcUrl, httpUrl }) =>
    (['grpc-sdk', 'grpc-raw', 'http-sdk', 'http-raw'] as const).map((kind) => ({
      name: `${kind} (${mode})`,
      kind,
      url: kind.startsWith('grpc') ? grpcUrl : httpUrl,
      perSecond: kind.endsWith('sdk') ? sdkPerSecond : each - sdkPerSecond,
    })),
  );
}

async function restart(index: number, replica: Replica, fronts: readonly Front[]): Promise<void> {
  const allSee = (state: 'up' | 'down') => Promise.all(fronts.map((front) => front.sees(index, state)));
  const begunAt = performance.now();
  const elapsed = (): string => `${((performance.now() - begunAt) / 1_000).toFixed(1)} s`;
  const stopped = replica.stop().then((warnings) => ({ warnings, endedAfter: elapsed() }));
  const leftOutAfter = await allSee('down').then(elapsed);
  const { warnings, endedAfter } = await stopped;
  await replica.start();
  await allSee('up');
  console.log(
    `  gateway-${index}: left out by HAProxy after ${leftOutAfter}, ended after ${endedAfter}, in use again after ${elapsed()}`,
  );
  for (const warning of warnings) console.log(`  gateway-${index} had said: ${warning}`);
}

function report(perSecond: number): readonly string[] {
  const all = [...phases.values()].flat();
  const [before = [], after = [], outage = []] = ['before', 'after', 'collector restarted'].map((name) =>
    phases.get(name),
  );
  const rolls = all.filter(({ name }) => name.startsWith('rolling'));
  console.log(`\nOn ${availableParallelism()} cores, for all programs together:`);
  for (const phase of all) console.log(`  ${phase.name}: ${rateOf(ledger, [phase]).toFixed(0)} requests/s`);
  if (perSecond < wanted)
    console.log(
      `  MISSED: ${wanted} requests/s were wanted; the machine was too busy for them, and was given ${perSecond}.`,
    );
  console.log(`\n${ROLLS} rolling restarts of 2 gateways:\n\n${renderParts(ledger, { before, during: rolls, after })}`);
  console.log(`The collector restarted behind them:\n\n${renderOutage(ledger, outage)}`);
  const [reloads = [], replaced = []] = ['reloads', 'workers replaced'].map((name) => phases.get(name));
  console.log(`Gateways reloaded, with nothing between them and their senders:\n\n${renderReloads(ledger, reloads)}`);
  console.log(`The workers of the second replaced, one after the other:\n\n${renderReloads(ledger, replaced)}`);
  const strangers = ledger.strangers();
  return [
    ...faultsOf(
      ledger,
      all.filter((phase) => !outage.includes(phase)),
    ),
    ...faultsOf(ledger, outage, true),
    ...(strangers.length > 0 ? [`${strangers.length} arrived that nobody has sent, such as ${strangers[0]}`] : []),
  ];
}

try {
  const site = await openSite(scope);
  const collector = await createCollector(scope, (name) => ledger.arrived(name));
  await collector.start();
  const { upstream } = collector;
  const replicas = await Promise.all(
    [1, WORKERS].map((workers, i) => createReplica(scope, `gateway-${i}`, { workers, store: site.store, upstream })),
  );
  await Promise.all(replicas.map((replica) => replica.start()));
  const fronts: readonly Front[] = await Promise.all(
    Object.entries(EXAMPLES).map(async ([mode, example]) => {
      const ports = { grpc: await findPort(), http: await findPort() };
      return { mode, ...(await startHaproxy(scope, haproxy, example, { ports, servers: replicas })) };
    }),
  );
  for (const index of replicas.keys()) for (const front of fronts) await front.sees(index, 'up');

  const warmUp = startLoad(
    fronts.map((front) => ({ ...front, mode: `${front.mode}, warming up` })),
    site.key,
    wanted,
  );
  await during('warming up', () => delay(WARM_UP_MS));
  await during('trying what the machine can do', () => delay(WARM_UP_MS));
  await warmUp.end();
  const reached = rateOf(ledger, phases.get('trying what the machine can do') ?? []);
  const perSecond = reached > REACHED * wanted ? wanted : Math.floor(SUSTAINABLE * reached);
  const load = startLoad(fronts, site.key, perSecond);
  await during('before', () => delay(STEADY_MS));
  for (let roll = 1; roll <= ROLLS; roll++) {
    await during(`rolling restart ${roll}`, async () => {
      for (const [index, replica] of replicas.entries()) await restart(index, replica, fronts);
    });
  }
  await during('after', () => delay(STEADY_MS));
  await during('collector restarted', async () => {
    await delay(SETTLE_MS);
    await collector.end();
    await delay(COLLECTOR_AWAY_MS);
    await collector.start();
    await delay(RECOVERY_MS);
  });
  await load.end();

  const second = await createCollector(scope, (name) => ledger.arrived(name));
  await second.start();
  for (const workers of [1, WORKERS]) {
    const { authorities, ...reloaded } = await startReloadedGateway(scope, site, [collector, second], workers);
    const mode = workers === 1 ? 'TLS, no proxy' : `the same, ${workers} workers`;
    const straight = startLoad([{ ...reloaded, mode }], site.key, perSecond, authorities);
    await during('reloads', async () => {
      await delay(WARM_UP_MS);
      await reloaded.reloadAll();
    });
    if (workers > 1) await during('workers replaced', reloaded.replaceWorkers);
    await straight.end();
    await reloaded.stop();
  }
  await Promise.all([collector.end(), second.end()]);
  const faults = report(perSecond);
  for (const fault of faults) console.log(`FAULT: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  else console.log('Not one batch was lost, and none arrived twice.');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await scope.run();
}
