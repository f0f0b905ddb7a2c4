import { Cleanups } from '../../support/scope.ts';
import { seen } from '../neighbour.ts';
import type { Cell, Neighbour, Row, Site, Table } from '../neighbour.ts';
import { MissingTool } from '../../conformance/toolchain.ts';
import type { Scope } from '../../support/scope.ts';
import { startFleet } from './fleet.ts';
import type { Sender } from './fleet.ts';
import { ACTOR, openPlace } from './place.ts';
import { collectorProgram, collectorVersions } from './programs.ts';
import { README_ROWS, ROWS, TOKEN_FILE } from './senders.ts';
import type { SenderRow } from './senders.ts';
import {
  accepted,
  collectorRestarted,
  gatewayRestarted,
  keyName,
  keyRotated,
  revoked,
  soak,
  storeOutage,
  TENANT,
} from './situations.ts';
import type { Scene, Verdict } from './situations.ts';

const SOAK_SECONDS = 60;
const LONG_SOAK_SECONDS = 600;

export const neighbour: Neighbour = {
  title: 'OpenTelemetry Collector',
  about: `\
A Collector built by OpenTelemetry's own builder from \`test/interop/collector/manifest.yaml\` runs for each row, and sends what it is given over
OTLP/HTTP: five traces a second and one metric, log record and profile, each with a name of its own. Behind the gateways is another one
(\`config/collector/behind-keygate.yaml\`), which hands everything to a backend that knows all names, and acknowledges what is there. All of
them run through all situations, one after the other. The rows "as in" are the files of \`config/collector\` with the addresses of
this machine in them; they retry as Collectors do by default. \`--soak\` makes the soak ten minutes long.`,
  async run(site) {
    const versions = collectorVersions();
    try {
      const program = collectorProgram(site.cache);
      return { versions, tables: await runAll(site, program) };
    } catch (error) {
      if (!(error instanceof MissingTool)) throw error;
      const cell: Cell = { outcome: 'not installable', saw: error.message };
      const rows = ROWS.map(({ name }) => ({ name, cells: { accepted: cell } }));
      return { versions, tables: [{ title: 'Senders', columns: ['accepted'], rows }] };
    }
  },
};

async function runAll({ scope, say, flags }: Site, program: string): Promise<Table[]> {
  say('starting gateways and Collectors ...');
  const scene = await openScene(scope, program);
  const seconds = flags.includes('--soak') ? LONG_SOAK_SECONDS : SOAK_SECONDS;
  const matrix = new Matrix(scene.senders, say);
  await matrix.add(['accepted'], async () => [await accepted(scene)]);
  await matrix.add(['key revoked'], async (own) => [await revoked(scene, own)]);
  await matrix.add(['key rotated'], async () => [await keyRotated(scene)], [TOKEN_FILE]);
  await matrix.add(['gateway restarted'], async () => [await gatewayRestarted(scene)]);
  await matrix.add(['collector behind restarted'], async () => [await collectorRestarted(scene)]);
  const outage = ['store outage', 'store outage, key never seen', 'store outage, gateway just started'];
  await matrix.add(outage, (own) => storeOutage(scene, own), ROWS, README_ROWS, README_ROWS);
  await matrix.add(['soak'], async () => [await soak(scene, seconds)]);
  return [
    matrix.table(
      'Senders',
      'A store outage is a Redis that is frozen for 60 s: it takes connections and answers nothing.',
    ),
  ];
}

async function openScene(scope: Scope, program: string): Promise<Scene> {
  const place = await openPlace(scope, program);
  const created = new Map<SenderRow, { readonly text: string; readonly id: string }>();
  for (const row of ROWS) {
    const key = { kind: 'ingestion', name: keyName(row), tenant: TENANT } as const;
    const { text, record } = await place.keys.create(key, ACTOR);
    created.set(row, { text, id: record.id });
  }
  const keyOf: Scene['keyOf'] = (row) => {
    const key = created.get(row);
    if (key === undefined) throw new Error(`there is no key for ${row.name}`);
    return key;
  };
  await place.behind.start();
  for (const gateway of Object.values(place.gateways)) await gateway.start();
  const senders = await startFleet(scope, {
    program,
    rows: ROWS,
    gatewayFor: ({ over }) => place.gateways[over],
    keyFor: (row) => keyOf(row).text,
    ca: place.certificate.certPath,
  });
  return { ...place, program, senders, keyOf };
}

/** Cells by row, from situations in which all rows are at once. */
class Matrix {
  readonly #cells = new Map<SenderRow, Record<string, Cell>>();
  readonly #columns: string[] = [];
  readonly #senders: readonly Sender[];
  readonly #say: Site['say'];

  constructor(senders: readonly Sender[], say: Site['say']) {
    this.#senders = senders;
    this.#say = say;
    for (const { row } of senders) this.#cells.set(row, {});
  }

  /** One situation, of which one or several columns tell something, each of these rows. */
  async add(
    columns: readonly string[],
    situation: (own: Scope) => Promise<readonly Verdict[]>,
    ...rows: readonly (readonly SenderRow[])[]
  ): Promise<void> {
    this.#say(`${columns[0]} ...`);
    this.#columns.push(...columns);
    const own = new Cleanups();
    try {
      const verdicts = await situation(own).catch((error: unknown) => columns.map(() => () => Promise.reject(error)));
      for (const [index, column] of columns.entries()) {
        const verdict = verdicts[index] as Verdict;
        const among = rows[index] ?? ROWS;
        for (const sender of this.#senders.filter(({ row }) => among.includes(row))) {
          const cells = this.#cells.get(sender.row) ?? {};
          cells[column] = await seen(async () => verdict(sender));
        }
      }
    } finally {
      await own.run();
    }
  }

  table(title: string, about: string): Table {
    const rows: Row[] = Array.from(this.#cells, ([{ name }, cells]) => ({ name, cells }));
    return { title, about, columns: this.#columns, rows };
  }
}
