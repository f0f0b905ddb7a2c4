import { MissingTool } from '../../conformance/toolchain.ts';
import { rowsWithout } from '../neighbour.ts';
import type { Neighbour, Row } from '../neighbour.ts';
import { remoteWriteRows, WRITE_SITUATIONS } from './remote-write.ts';
import { senderRows, SITUATIONS } from './senders.ts';
import { findSts, STS_COLUMNS, STS_ROWS, stsRows } from './sts.ts';

export const neighbour: Neighbour = {
  title: 'StackState',
  about:
    'Keygate in the place of the router of StackState (SUSE Observability): what sends to the paths of its agents, Prometheus as its ' +
    'documentation configures it, and its command line `sts`, pointed at the admin API. What arrives is looked at behind the gateway, by ' +
    'name, body and key; what was refused, in what the sender itself says or counts.',
  async run({ cache, say }) {
    const { rows: command, version } = await stsTable(cache, say);
    say('sending to the paths of agents ...');
    const senders = await senderRows(cache);
    say('writing from Prometheus ...');
    const writers = await remoteWriteRows();
    return {
      versions: { prometheus: '2.42 (Debian)', datadogpy: '0.39.0', ...(version !== undefined && { sts: version }) },
      tables: [
        { title: 'The paths of agents', columns: [...SITUATIONS], rows: [...senders, ...AGENT_ROWS] },
        {
          title: 'Prometheus remote_write to /receiver/prometheus/api/v1/write',
          columns: [...WRITE_SITUATIONS],
          rows: writers,
        },
        { title: 'The command line sts', columns: [...STS_COLUMNS], rows: command },
      ],
    };
  },
};

/** Without a version, none was run. */
async function stsTable(cache: string, say: (line: string) => void): Promise<{ rows: Row[]; version?: string }> {
  try {
    const { path, version } = findSts(cache, say);
    return { rows: await stsRows(path), version };
  } catch (error) {
    if (error instanceof MissingTool) return { rows: rowsWithout(STS_ROWS, STS_COLUMNS, error.message) };
    throw error;
  }
}

/** Neither is in a registry of packages: what they send is sent above by others, and their sources say what they make of an answer. */
const AGENT_ROWS: readonly Row[] = [
  ...rowsWithout(
    ['the agent of StackState'],
    SITUATIONS,
    'it comes from package repositories and images of its vendor only',
  ),
  ...rowsWithout(
    ['stackstate-receiver-go-client'],
    SITUATIONS,
    'the Go module proxy answers "This module version is not available" for every version of it',
  ),
];
