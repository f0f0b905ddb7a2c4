import { join } from 'node:path';
import { goProgram, MissingTool } from '../../conformance/toolchain.ts';
import { rowsWithout } from '../neighbour.ts';
import type { Neighbour, Row, Site } from '../neighbour.ts';
import { rowsOf } from '../scenes.ts';
import { pinned } from '../sdks/build.ts';
import { LANES } from './lanes.ts';
import { SITUATIONS, sceneOf } from './situations.ts';

const PACKAGE = 'github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen';

export const neighbour: Neighbour = {
  title: 'telemetrygen',
  about: `
The load generator of the Collector's makers, once for each signal and protocol, all at the same time: \`--otlp-header 'x-api-key="…"'\`,
\`--ca-cert\` with the gateway's own authority, 20 items a second in batches of five, everything else as by default. By default it gives a batch
10 s; \`metrics\` and \`logs\` end with the first batch that was not taken, and \`traces\` goes on. As they start, \`metrics\` and \`logs\` write
their configuration to their log, and the key with it.`,
  async run(site) {
    const versions = { telemetrygen: pinned(join(import.meta.dirname, 'go.mod'), /cmd\/telemetrygen v(\S+)/) };
    const rows = await tryAll(site);
    return { versions, tables: [{ title: 'What became of what it made', columns: LANES, rows }] };
  },
};

async function tryAll(site: Site): Promise<readonly Row[]> {
  try {
    const program = goProgram({ folder: import.meta.dirname, package: PACKAGE });
    return await rowsOf(
      site,
      LANES,
      SITUATIONS.map((situation) => sceneOf(situation, program)),
    );
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    const titles = SITUATIONS.map(({ title }) => title);
    return rowsWithout(titles, LANES, error.message);
  }
}
