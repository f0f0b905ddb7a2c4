import * as fc from 'fast-check';
import { KeyModel } from './key-model.ts';
import { keySteps } from './key-steps.ts';
import { createKeyWorld } from './key-world.ts';
import type { PlaceKind } from './key-world.ts';

const START_MS = 1_700_000_000_000;
/** A failing run is made smaller for no longer than this. */
const MAX_SHRINK_MS = 30_000;

export interface ModelRuns {
  readonly runs: number;
  readonly maxSteps: number;
}

/**
 * Random steps, each made in the model and in a gateway's own parts; every answer on the way must be one that the model
 * gives. What fails is printed with its seed: set KEYGATE_TEST_SEED to see it again, KEYGATE_TEST_RUNS to look longer.
 */
export async function checkKeysAgainstModel(kind: PlaceKind, { runs, maxSteps }: ModelRuns): Promise<void> {
  const { KEYGATE_TEST_SEED: seed, KEYGATE_TEST_RUNS: moreRuns } = process.env;
  const steps = fc.commands(keySteps(kind.faults), { maxCommands: maxSteps, size: 'max' });
  const property = fc.asyncProperty(steps, async (commands) => {
    const real = await createKeyWorld(kind, START_MS);
    try {
      await fc.asyncModelRun(() => ({ model: new KeyModel(START_MS), real }), commands);
    } finally {
      await real.close();
    }
  });
  await fc.assert(property, {
    numRuns: Number(moreRuns ?? runs),
    ...(seed !== undefined && { seed: Number(seed) }),
    interruptAfterTimeLimit: MAX_SHRINK_MS + runs * 1_000,
  });
}
