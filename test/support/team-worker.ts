import type { ToOffice, ToWorker } from '../../src/workers/messages.ts';

/** A worker that serves nobody: what it does is in the name of its replica, so that a team can be seen to deal with it. */

const say = (message: ToOffice): void => void process.send?.(message);
let does = '';
let counted = 0;

process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'begin':
      does = message.name;
      if (does === 'objects') {
        process.send?.({ kind: 'unable', why: 'there is no such key' } satisfies ToOffice, () => process.exit(1));
        return;
      }
      say({ kind: 'serving' });
      return;
    case 'tell': {
      if (does === 'hangs') for (;;); // as a loop that never ends
      if (does === 'is mute') return;
      if (does === 'crashes') process.exit(3);
      if (does === 'talks') say({ kind: 'news', spent: [], worked: [] });
      counted += 1;
      const values = [{ labels: {}, value: counted }];
      const traffic = { sinceMs: 5, outcomes: [['accepted', counted]] as const, refusedSources: [] };
      say({ kind: 'figures', figures: [{ name: 'asked_total', help: '', type: 'counter', values }], traffic });
      say({ kind: 'told', id: message.id });
      return;
    }
    case 'news':
      say({ kind: 'keys', used: [{ key: { id: String(process.argv[2]), name: 'heard' }, requests: 1, bytes: 0 }] });
      return;
    case 'drain':
      if (does !== 'stays') process.disconnect?.();
      return;
    case 'connection':
    case 'level':
    case 'reload':
  }
});
