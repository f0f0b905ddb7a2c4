import { judgeLoss, SITUATIONS as ALL } from '../shippers/situations.ts';
import type { Situation } from '../shippers/situations.ts';
import type { Column } from './senders.ts';

export const ITEMS = 'samples';

/** What a Prometheus gets into with Keygate. */
export const SITUATIONS: readonly Situation<Column>[] = [
  ALL.good,
  {
    ...ALL.unknown,
    judge({ given, lost, dropped }, log) {
      const said = /(server returned HTTP status 403 Forbidden: ).*?(The key is not known here\.)/.exec(log);
      if (lost < given || dropped === 0 || said === null) throw new Error('not all of it was dropped with our reason');
      return `dropped; it counts them as lost, and logs \`${said[1]}… ${said[2]}\``;
    },
  },
  { ...ALL.limited, title: `${ALL.limited.title}, \`retry_on_http_429\`` },
  {
    ...ALL.limited,
    title: 'the same without `retry_on_http_429`',
    settings: { retry_on_http_429: false },
    judge: (account, log) => judgeLoss(account, ITEMS, log, '429 Too Many Requests'),
  },
  ALL.away2,
  ALL.away60,
  ALL.away60Known,
  ALL.restarted,
];
