import { join } from 'node:path';
import { MissingTool } from '../../conformance/toolchain.ts';
import { notInstallable } from '../neighbour.ts';
import type { Cell, Neighbour } from '../neighbour.ts';
import { rowsOf } from '../scenes.ts';
import { pinned } from '../sdks/build.ts';
import { COLUMNS, SENDERS } from './senders.ts';
import type { Column } from './senders.ts';
import { SITUATIONS, toScene } from './situations.ts';

export const neighbour: Neighbour = {
  title: 'Prometheus',
  about: `
Prometheus writes to \`/api/v1/write\` over TLS: 2.42 as Debian has it, and 3.13 built by Go without service discovery. It scrapes 20 counters every
second, and writes them as [config/prometheus/remote-write.yaml](../config/prometheus/remote-write.yaml) says, in requests of ten samples; the columns
differ in how they send the key. It is judged by its own database: each sample in it, by series and time, has to arrive behind the gateway, once,
and what does not arrive must be what Prometheus itself counts in \`prometheus_remote_storage_samples_failed_total\`.`,
  async run(site) {
    const absent: Record<string, Cell> = {};
    for (const column of COLUMNS) {
      try {
        SENDERS[column].program();
      } catch (error) {
        if (!(error instanceof MissingTool)) throw error;
        absent[column] = notInstallable(error.message);
      }
    }
    const present = COLUMNS.filter((column): column is Column => !(column in absent));
    const scenes = SITUATIONS.map((situation) => toScene(situation, present));
    const rows = await rowsOf(site, present, scenes);
    return {
      versions: {
        'Prometheus of Debian': '2.42',
        'Prometheus by Go': `3.${pinned(join(import.meta.dirname, 'go.mod'), /prometheus\/prometheus v0\.3(\S+)/)}`, // modules have it as v0.3…
      },
      tables: [
        {
          title: 'What became of what it scraped',
          columns: COLUMNS,
          rows: rows.map(({ name, cells }) => ({ name, cells: { ...cells, ...absent } })),
        },
      ],
    };
  },
};
