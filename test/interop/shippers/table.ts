import { MissingTool } from '../../conformance/toolchain.ts';
import { notInstallable } from '../neighbour.ts';
import type { Cell, Site, Table } from '../neighbour.ts';
import { rowsOf } from '../scenes.ts';
import { toScene } from './situations.ts';
import type { Kind, Situation } from './situations.ts';

export interface Trial<Column extends string> extends Kind<Column> {
  readonly title: string;
  /** Installs or builds what is not there. */
  readonly find: (column: Column) => unknown;
  readonly situations: readonly Situation<Column>[];
}

/** All in all situations, at the same time; the cells of those whose program cannot be had say why. */
export async function tableOf<Column extends string>(
  site: Site,
  { title, columns, find, situations, items, start }: Trial<Column>,
): Promise<Table> {
  const absent = new Map<string, Cell>();
  for (const column of columns) {
    try {
      find(column);
    } catch (error) {
      if (!(error instanceof MissingTool)) throw error;
      absent.set(column, notInstallable(error.message));
    }
  }
  const present = columns.filter((column) => !absent.has(column));
  const kind = { columns: present, items, start };
  const scenes = situations.map((situation) => toScene(situation, kind));
  const rows =
    present.length > 0 ? await rowsOf(site, present, scenes) : scenes.map(({ title }) => ({ name: title, cells: {} }));
  return {
    title,
    columns,
    rows: rows.map(({ name, cells }) => ({ name, cells: { ...cells, ...Object.fromEntries(absent) } })),
  };
}
