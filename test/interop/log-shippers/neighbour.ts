import { rowsWithout } from '../neighbour.ts';
import type { Neighbour, Row } from '../neighbour.ts';
import { judgeLoss, SITUATIONS as ALL } from '../shippers/situations.ts';
import type { Situation } from '../shippers/situations.ts';
import { tableOf } from '../shippers/table.ts';
import { COLUMNS, dropsRefused, findSyslogNg, startSyslogNg } from './syslog-ng.ts';
import type { Column } from './syslog-ng.ts';

const ITEMS = 'lines';
const SAID = "status_code='403'";

const SITUATIONS: readonly Situation<Column>[] = [
  ALL.good,
  {
    ...ALL.unknown,
    judge({ given, lost, dropped }, log, column) {
      if (lost < given || !log.includes(SAID)) throw new Error('some arrived, or it says nothing');
      if (dropped > 0 !== dropsRefused(column))
        throw new Error('it keeps what it was to drop, or drops what it was to keep');
      const fate = dropped > 0 ? 'dropped, and counted as lost' : 'kept, and sent again and again';
      return `${fate}; it logs \`${SAID}\`, and not our reason`;
    },
  },
  {
    ...ALL.disabled,
    judge: (account, log, column) => (dropsRefused(column) ? judgeLoss(account, ITEMS, log, SAID) : undefined),
  },
  ALL.limited,
  ALL.away2,
  ALL.away60,
  ALL.away60Known,
  ALL.restarted,
];

export const neighbour: Neighbour = {
  title: 'Log shippers',
  about: `
syslog-ng follows a file in which a line is written every 50 ms, and sends the lines to \`/v1/logs\` over TLS, as OTLP/JSON, the way that
[config/syslog-ng/keygate.conf](../config/syslog-ng/keygate.conf) says, in requests of 20 lines at most, trying again after a second. Each line has to arrive behind the gateway, once;
what does not arrive must be what syslog-ng itself counts as dropped.`,
  async run(site) {
    const syslogNg = await tableOf(site, {
      title: 'What became of what syslog-ng read',
      columns: COLUMNS,
      find: findSyslogNg,
      situations: SITUATIONS,
      items: ITEMS,
      start: startSyslogNg,
    });
    return {
      versions: { 'syslog-ng': '3.38.1 (Debian)' },
      tables: [syslogNg, { title: 'Others', columns: ['why not'], rows: ABSENT }],
    };
  },
};

/** Neither is in a registry of packages. */
const ABSENT: readonly Row[] = [
  ...rowsWithout(
    ['Fluent Bit'],
    ['why not'],
    'it comes from package repositories and images of its own: Debian 12 has no such package, PyPI says "No matching distribution found for ' +
      'fluent-bit", and the Go module proxy "This module version is not available"',
  ),
  ...rowsWithout(
    ['Vector'],
    ['why not'],
    'it comes from package repositories and images of its own: Debian 12 has no such package, and `vector` of crates.io (0.4.1, a database) and of ' +
      'PyPI (1.9.0) are other programs',
  ),
];
