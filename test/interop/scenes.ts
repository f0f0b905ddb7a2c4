import { Cleanups } from '../support/scope.ts';
import type { Scope } from '../support/scope.ts';
import { seen } from './neighbour.ts';
import type { Cell, Row, Site } from './neighbour.ts';

/** A situation that several get into at the same time, and that is then looked at for each of them. */
export interface Scene<Column extends string> {
  readonly title: string;
  /** It is played beside the others: what it needs is its own. */
  readonly isLong: boolean;
  /** What was seen of each, in a few words; rejects where it is not as it must be. */
  play(scope: Scope): Promise<(column: Column) => Promise<string>>;
}

/** A row of each scene, in their order. */
export async function rowsOf<Column extends string>(
  site: Site,
  columns: readonly Column[],
  scenes: readonly Scene<Column>[],
): Promise<Row[]> {
  const rows = new Map<string, Row>();
  const tryOne = async (scene: Scene<Column>): Promise<void> => {
    site.say(scene.title);
    rows.set(scene.title, { name: scene.title, cells: await cellsOf(columns, scene) });
  };
  const inTurn = async (): Promise<void> => {
    for (const scene of scenes) if (!scene.isLong) await tryOne(scene);
  };
  await Promise.all([inTurn(), ...scenes.filter(({ isLong }) => isLong).map(tryOne)]);
  return scenes.flatMap(({ title }) => rows.get(title) ?? []);
}

async function cellsOf<Column extends string>(
  columns: readonly Column[],
  scene: Scene<Column>,
): Promise<Record<string, Cell>> {
  const scope = new Cleanups();
  try {
    const outcome = scene.play(scope);
    const cells = columns.map(async (column) => [column, await seen(async () => (await outcome)(column))] as const);
    return Object.fromEntries(await Promise.all(cells));
  } finally {
    await scope.run();
  }
}
