import { join } from 'node:path';
import type { Neighbour } from '../neighbour.ts';
import { pinned } from '../sdks/build.ts';
import { tableOf } from '../shippers/table.ts';
import { COLUMNS, SENDERS, startWriter } from './senders.ts';
import { ITEMS, SITUATIONS } from './situations.ts';

export const neighbour: Neighbour = {
  title: 'Prometheus',
  about: `
Prometheus writes to \`/api/v1/write\` over TLS: 2.42 as Debian has it, and 3.13 built by Go without service discovery. It scrapes 20 counters every
second, and writes them as [config/prometheus/remote-write.yaml](../config/prometheus/remote-write.yaml) says, in requests of ten samples; the columns
differ in how they send the key. It is judged by its own database: each sample in it, by series and time, has to arrive behind the gateway, once,
and what does not arrive must be what Prometheus itself counts in \`prometheus_remote_storage_samples_failed_total\`.`,
  async run(site) {
    const table = await tableOf(site, {
      title: 'What became of what it scraped',
      columns: COLUMNS,
      find: (column) => SENDERS[column].program(),
      situations: SITUATIONS,
      items: ITEMS,
      start: startWriter,
    });
    return {
      versions: {
        'Prometheus of Debian': '2.42',
        'Prometheus by Go': `3.${pinned(join(import.meta.dirname, 'go.mod'), /prometheus\/prometheus v0\.3(\S+)/)}`, // modules have it as v0.3…
      },
      tables: [table],
    };
  },
};
