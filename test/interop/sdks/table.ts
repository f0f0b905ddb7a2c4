import { MissingTool } from '../../conformance/toolchain.ts';
import { rowsWithout } from '../neighbour.ts';
import type { Report, Row, Site } from '../neighbour.ts';
import { rowsOf } from '../scenes.ts';
import type { Protocol } from './order.ts';
import { play, SITUATIONS } from './situations.ts';
import type { Happening, Sdk } from './situations.ts';

const HAPPENINGS = Object.keys(SITUATIONS) as readonly Happening[];
const LONG_MS = 30_000;

export interface Trial {
  readonly versions: Report['versions'];
  readonly protocols: readonly Protocol[];
  /** Builds what there is to build. */
  readonly make: () => Sdk | Promise<Sdk>;
}

/** An SDK in all situations, with all its protocols at the same time. */
export async function tryOut(site: Site, { versions, protocols, make }: Trial): Promise<Report> {
  const report = (rows: readonly Row[]): Report => ({
    versions,
    tables: [{ title: 'What became of what it sent', columns: protocols, rows }],
  });
  try {
    const sdk = await make();
    const scenes = HAPPENINGS.map((happening) => {
      const { title, count, pauseMs } = SITUATIONS[happening];
      return { title, isLong: count * pauseMs > LONG_MS, play: play.bind(undefined, happening, sdk) };
    });
    return report(await rowsOf(site, protocols, scenes));
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    const titles = HAPPENINGS.map((happening) => SITUATIONS[happening].title);
    return report(rowsWithout(titles, protocols, error.message));
  }
}
