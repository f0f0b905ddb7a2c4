import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { KeyServiceError } from '../../../src/keys/service-error.ts';
import { StoreError } from '../../../src/store/port.ts';
import { CONNECTED } from './key-model.ts';
import type { Connected, KeyModel, ModelKey, Version } from './key-model.ts';
import type { Fault, GateAnswer, KeyWorld } from './key-world.ts';

/** What may happen to keys, to the way to their store, and to the time; each is done in the model and in the world. */

const FROZEN: Connected = { store: false, feed: false, writes: true };
const CONNECTIONS: Readonly<Record<Fault, Connected>> = {
  open: CONNECTED,
  cut: { store: false, feed: false, writes: true },
  frozen: FROZEN,
  'no-feed': { store: true, feed: false, writes: true },
  locked: { store: true, feed: true, writes: false },
};

type Side = 'here' | 'elsewhere';
type Step = fc.AsyncCommand<KeyModel, KeyWorld>;

const ACTOR = { name: 'model' };

/** A change of a key, by the gateway itself or by somebody else. */
interface Change {
  readonly what: 'rotate' | 'disable' | 'enable' | 'revoke' | 'update';
  readonly by: Side;
  /** Which key, counted around. */
  readonly index: number;
  /** The grace of a rotation, or the time until a new expiry; undefined for none. */
  readonly ms: number | undefined;
  /** The key is asked about while the change is made. */
  readonly isAsked: boolean;
}

const sides: fc.Arbitrary<Side> = fc.constantFrom('here', 'elsewhere');
const indexes = fc.nat({ max: 9 });
const times = fc.constantFrom(500, 5_000, 20_000, 7_200_000);

export function keySteps(faults: readonly Fault[]): fc.Arbitrary<Step>[] {
  const changes: fc.Arbitrary<Change> = fc.record({
    what: fc.constantFrom('rotate', 'disable', 'enable', 'revoke', 'update'),
    by: sides,
    index: indexes,
    ms: fc.option(times, { nil: undefined }),
    isAsked: fc.boolean(),
  });
  return [
    fc.tuple(sides, fc.option(times, { nil: undefined })).map(([by, ms]) => createStep(by, ms)),
    changes.map(changeStep),
    changes.map(changeStep),
    indexes.map(askStep),
    indexes.map(askStep),
    fc.constant(askAllStep()),
    fc.constantFrom(1, 900, 4_000, 5_000, 9_999, 10_001, 60_000, 3_600_001).map(advanceStep),
    fc.constantFrom<Fault>('open', ...faults).map(faultStep),
  ];
}

/** Of a step that is made although the store is away: it fails, and nothing has changed. */
async function failsForWantOfStore(step: Promise<unknown>): Promise<void> {
  await assert.rejects(step, (error) => error instanceof StoreError);
}

function canRead(model: KeyModel, by: Side): boolean {
  return by === 'elsewhere' || model.connected.store;
}

/** A change that is made while the way to the store is frozen may be done when it thaws, or never: nobody can say. */
function isCertain({ connected }: Pick<KeyModel, 'connected'>, by: Side): boolean {
  return by === 'elsewhere' || connected !== FROZEN;
}

function createStep(by: Side, ms: number | undefined): Step {
  return {
    toString: () => `${by}: create a key${ms === undefined ? '' : ` for ${ms} ms`}`,
    check: (model) => isCertain(model, by),
    async run(model, world) {
      const key = upcoming(model, world);
      const expiresAt = ms === undefined ? undefined : model.nowMs + ms;
      const created = world[by].create({ kind: 'ingestion', name: key.text, expiresAt }, ACTOR);
      if (!canRead(model, by) || !model.connected.writes) return failsForWantOfStore(created);
      const { text, record } = await created;
      assert.equal(text, key.text);
      await wasWritten(model, world, by, [[key, { state: 'active', expiresAt }]]);
      key.id = record.id;
      await askAbout(model, world, key);
    },
  };
}

function changeStep(change: Change): Step {
  const { what, by, index, ms, isAsked } = change;
  return {
    toString: () => `${by}: ${what} key ${index}${ms === undefined ? '' : ` (${ms} ms)`}${isAsked ? ', asked' : ''}`,
    check: (model) => existing(model).length > 0 && isCertain(model, by),
    async run(model, world) {
      const keys = existing(model);
      const key = keys[index % keys.length];
      if (key?.id === undefined) return;
      const before = model.mayAnswer(key);
      const asked = isAsked ? world.ask(key.text) : undefined;
      await applyChange(model, world, { ...change, key, id: key.id });
      if (asked !== undefined) assertAnswer(model, key, await asked, new Set([...before, ...model.mayAnswer(key)]));
      await askAbout(model, world, key);
    },
  };
}

async function applyChange(
  model: KeyModel,
  world: KeyWorld,
  { what, by, ms, key, id }: Change & { readonly key: ModelKey; readonly id: string },
): Promise<void> {
  const truth = model.truth(key);
  const successor = what === 'rotate' ? upcoming(model, world) : undefined;
  const made = callService(world, { what, by, id, ms, nowMs: model.nowMs });
  if (!canRead(model, by)) return failsForWantOfStore(made);
  if (!isPossible(model, key, what)) {
    return assert.rejects(made, (error) => error instanceof KeyServiceError && error.code !== 'conflict');
  }
  const next = changed(truth, what, ms, model.nowMs);
  if (next !== truth && !model.connected.writes) return failsForWantOfStore(made);
  const outcome = await made;
  const written: [ModelKey, Omit<Version, 'from'>][] = next === truth ? [] : [[key, next]];
  if (successor !== undefined && 'text' in outcome) {
    assert.equal(outcome.text, successor.text);
    successor.id = outcome.record.id;
    written.push([successor, { state: 'active' }]);
  }
  await wasWritten(model, world, by, written);
  if (successor !== undefined) await askAbout(model, world, successor);
}

function callService(
  world: KeyWorld,
  { what, by, id, ms, nowMs }: Pick<Change, 'what' | 'by' | 'ms'> & { readonly id: string; readonly nowMs: number },
) {
  const service = world[by];
  switch (what) {
    case 'rotate':
      return service.rotate('ingestion', id, { graceMs: ms ?? 0 }, ACTOR);
    case 'update':
      return service.update('ingestion', id, { expiresAt: ms === undefined ? null : nowMs + ms }, ACTOR);
    case 'disable':
    case 'enable':
    case 'revoke':
      return service[what]('ingestion', id, ACTOR);
  }
}

function isPossible(model: KeyModel, key: ModelKey, what: Change['what']): boolean {
  const { state, retireAt } = model.truth(key);
  if (what === 'revoke') return state !== 'revoked';
  if (!model.isLive(key)) return false;
  return what !== 'rotate' || (state === 'active' && retireAt === undefined);
}

/** The very same version if nothing changes. */
function changed(truth: Version, what: Change['what'], ms: number | undefined, nowMs: number): Version {
  const endsAt = ms === undefined ? undefined : nowMs + ms;
  switch (what) {
    case 'rotate':
      if (endsAt === undefined) return { ...truth, state: 'revoked' };
      return { ...truth, retireAt: Math.min(endsAt, truth.expiresAt ?? Infinity) };
    case 'revoke':
      return { ...truth, state: 'revoked' };
    case 'disable':
      return truth.state === 'disabled' ? truth : { ...truth, state: 'disabled' };
    case 'enable':
      return truth.state === 'active' ? truth : { ...truth, state: 'active' };
    case 'update':
      return truth.expiresAt === endsAt ? truth : { ...truth, expiresAt: endsAt };
  }
}

function askStep(index: number): Step {
  return {
    toString: () => `ask key ${index}`,
    check: () => true,
    async run(model, world) {
      upcoming(model, world); // a key that does not exist yet is asked about too
      const key = model.keys[index % model.keys.length];
      if (key !== undefined) await askAbout(model, world, key);
    },
  };
}

function askAllStep(): Step {
  return {
    toString: () => 'ask all at once',
    check: () => true,
    async run(model, world) {
      await Promise.all(model.keys.flatMap((key) => [askAbout(model, world, key), askAbout(model, world, key)]));
    },
  };
}

function advanceStep(ms: number): Step {
  return {
    toString: () => `${ms} ms later`,
    check: () => true,
    async run(model, world) {
      model.nowMs += ms;
      world.advance(ms);
    },
  };
}

function faultStep(fault: Fault): Step {
  return {
    toString: () => (fault === 'open' ? 'the store is back' : `the store is ${fault}`),
    check: (model) => model.connected !== CONNECTIONS[fault],
    async run(model, world) {
      const connected = CONNECTIONS[fault];
      await world.setFault(fault);
      model.nowMs = world.now();
      if (connected.feed) await world.heard();
      model.connect(connected);
    },
  };
}

async function askAbout(model: KeyModel, world: KeyWorld, key: ModelKey): Promise<void> {
  assertAnswer(model, key, await world.ask(key.text), model.mayAnswer(key));
}

function assertAnswer(
  model: KeyModel,
  key: ModelKey,
  { answer, isLate }: GateAnswer,
  allowed: ReadonlySet<string>,
): void {
  // A machine that stands still makes lookups late, and that is no fault of theirs.
  if (answer === 'undecided' ? model.mayDoubt() || isLate : allowed.has(answer)) return;
  const which = `key ${model.keys.indexOf(key)} of ${JSON.stringify(key.versions)} at ${model.nowMs}`;
  assert.fail(`${which} was answered ${answer}, not ${[...allowed].join(' or ')}`);
}

/** The key that is made next; it has been asked about before, perhaps. One that could not be made is not made later. */
function upcoming(model: KeyModel, world: KeyWorld): ModelKey {
  const text = world.nextText();
  const last = model.keys.at(-1);
  if (last?.text === text) return last;
  if (last !== undefined && last.id === undefined) model.keys.pop();
  const key: ModelKey = { text, id: undefined, versions: [{ from: model.nowMs, state: 'absent' }], heardOf: 0 };
  model.keys.push(key);
  return key;
}

function existing(model: Pick<KeyModel, 'keys'>): ModelKey[] {
  return model.keys.filter(({ id }) => id !== undefined);
}

async function wasWritten(
  model: KeyModel,
  world: KeyWorld,
  by: Side,
  written: readonly (readonly [ModelKey, Omit<Version, 'from'>])[],
): Promise<void> {
  for (const [key, version] of written) {
    world.wrote(key.text);
    model.change(key, version, by);
  }
  if (model.connected.feed) await world.heard();
}
