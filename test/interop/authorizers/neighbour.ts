import { MissingTool } from '../../conformance/toolchain.ts';
import { Cleanups } from '../../support/scope.ts';
import { rowsWithout, seen } from '../neighbour.ts';
import type { Cell, Neighbour, Row } from '../neighbour.ts';
import { createTlsFiles } from './over-tls.ts';
import { PROXIES, versionOf } from './proxies.ts';
import type { Proxy } from './proxies.ts';
import { askedOverTls, KEYGATE_AWAY, keygateAway, OVER_TLS, SITUATIONS } from './situations.ts';
import { setUp } from './stand.ts';

const COLUMNS = [...Object.keys(SITUATIONS), KEYGATE_AWAY, OVER_TLS];
const PROTOCOLS = { grpc: 'OTLP/gRPC', http: 'OTLP/HTTP' } as const;

export const neighbour: Neighbour = {
  title: 'Proxies that ask Keygate',
  about: `Envoy, nginx, HAProxy, Traefik and Caddy relay telemetry themselves and ask Keygate whether they may, each with the very files of
[config](../config), but for the addresses in them ([authorizer.md](authorizer.md)). Senders are grpc-js and Node's HTTP client, from an address of their own. A cell says
the status that the sender saw, with Keygate's reason if the proxy passed it on; what arrived is judged at the collector. In the last
column Keygate answers nobody who shows no certificate, and the files have what it takes to ask it over TLS besides.`,
  async run({ cache, flags, say }) {
    const versions: Record<string, string> = {};
    const rows: Row[] = [];
    for (const proxy of PROXIES) {
      const names = Object.values(PROTOCOLS).map((protocol) => nameOf(proxy, protocol));
      let program: string;
      try {
        say(`${proxy.name} ...`);
        if (isLeftOut(proxy, flags))
          throw new MissingTool('left out of this run: it has to be built, and there was no time');
        program = proxy.program(cache);
      } catch (error) {
        if (!(error instanceof MissingTool)) throw error;
        rows.push(...rowsWithout(names, COLUMNS, error.message));
        continue;
      }
      versions[proxy.name.split(',')[0] ?? proxy.name] = versionOf(proxy, program);
      rows.push(...(await tryOut(proxy, program)));
    }
    return { versions, tables: [{ title: 'By proxy and protocol', columns: COLUMNS, rows }] };
  },
};

/** `--without=Traefik,Caddy`: to build those takes half an hour where other things go on. */
function isLeftOut({ name }: Proxy, flags: readonly string[]): boolean {
  const left = flags.flatMap((flag) =>
    flag.startsWith('--without=') ? flag.slice('--without='.length).split(',') : [],
  );
  return left.some((word) => name.startsWith(word));
}

const nameOf = (proxy: Proxy, protocol: string): string => `${proxy.name}: ${protocol}`;

async function tryOut(proxy: Proxy, program: string): Promise<Row[]> {
  const scope = new Cleanups();
  try {
    const stand = await setUp(scope, proxy, program);
    const rows: { name: string; cells: Record<string, Cell> }[] = [];
    for (const sender of stand.senders) {
      const cells: Record<string, Cell> = {};
      for (const [column, look] of Object.entries(SITUATIONS)) cells[column] = await seen(() => look(stand, sender));
      rows.push({ name: nameOf(proxy, PROTOCOLS[sender.protocol]), cells });
    }
    const { text } = await stand.createKey();
    stand.keygate.signal('SIGKILL');
    await stand.keygate.exited;
    for (const [index, sender] of stand.senders.entries()) {
      const cells = rows[index]?.cells;
      if (cells === undefined) continue;
      cells[KEYGATE_AWAY] = await seen(() => keygateAway(stand, sender, text));
      cells[OVER_TLS] = await seen(async (scope) =>
        askedOverTls(await setUp(scope, proxy, program, await createTlsFiles(scope)), sender.protocol),
      );
    }
    return rows;
  } catch (error) {
    // It could not be set up: no situation was tried.
    const cell: Cell = { outcome: 'fail', saw: error instanceof Error ? error.message : String(error) };
    return Object.values(PROTOCOLS).map((protocol) => {
      return { name: nameOf(proxy, protocol), cells: Object.fromEntries(COLUMNS.map((column) => [column, cell])) };
    });
  } finally {
    await scope.run();
  }
}
