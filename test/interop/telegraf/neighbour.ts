import { join } from 'node:path';
import type { Neighbour } from '../neighbour.ts';
import { pinned } from '../sdks/build.ts';
import { tellArrived } from '../shippers/account.ts';
import type { Account } from '../shippers/account.ts';
import { SITUATIONS as ALL } from '../shippers/situations.ts';
import type { Situation } from '../shippers/situations.ts';
import { tableOf } from '../shippers/table.ts';
import { buildTelegraf, COLUMNS, startTelegraf } from './telegraf.ts';
import type { Column } from './telegraf.ts';

const ITEMS = 'metrics';

const SITUATIONS: readonly Situation<Column>[] = [
  ALL.good,
  {
    ...ALL.unknown,
    judge({ given, lost, dropped }, log) {
      const said = /PermissionDenied desc = (The key is not known here\.)/.exec(log);
      if (lost < given || dropped > 0 || said === null)
        throw new Error('not all of it was kept, or it does not say why');
      return `kept, and sent again and again; it logs \`PermissionDenied desc = ${said[1]}\``;
    },
  },
  ALL.disabled,
  { ...ALL.limited, judge: judgeRepeats },
  ALL.away2,
  ALL.away60,
  ALL.away60Known,
  { ...ALL.restarted, judge: judgeRepeats },
];

/** It makes a call of each metric; where one fails in the middle of a batch, those before it have arrived. */
function judgeRepeats(account: Account): string | undefined {
  if (account.lost > 0 || account.dropped > 0) throw new Error('it lost some');
  if (account.doubled === 0) return;
  return `**${tellArrived(account, ITEMS)}**: of a batch that failed in its middle it sends everything again`;
}

export const neighbour: Neighbour = {
  title: 'Telegraf',
  about: `
Telegraf, built by Go with the few plugins that it needs, reads a metric every 50 ms and sends them over OTLP/gRPC with TLS, the way that
[config/telegraf/keygate.conf](../config/telegraf/keygate.conf) says: every second, in batches of ten at most, and each metric in a call of its own. Each has to arrive behind the gateway, once;
what does not arrive must be what it says it has dropped.`,
  async run(site) {
    return {
      versions: { Telegraf: pinned(join(import.meta.dirname, 'go.mod'), /influxdata\/telegraf v(\S+)/) },
      tables: [
        await tableOf(site, {
          title: 'What became of what it read',
          columns: COLUMNS,
          find: buildTelegraf,
          situations: SITUATIONS,
          items: ITEMS,
          start: startTelegraf,
        }),
      ],
    };
  },
};
