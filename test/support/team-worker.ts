import { setTimeout as delay } from 'node:timers/promises';
import type { Figures } from '../../src/telemetry/figures.ts';
import type { ToOffice, ToWorker } from '../../src/workers/messages.ts';

/** A worker that serves nobody: what it does is in the name of its replica, so that a team can be seen to deal with it. */

const SLOW_MS = 500;

const say = (message: ToOffice): void => void process.send?.(message);
let does = '';
let counted = 0;
/** Of a configuration, all that matters here is this option. */
let held = 0;
let judged = 0;

process.on('SIGTERM', () => say({ kind: 'leaving' }));
process.on('message', (message: ToWorker) => void hear(message));

async function hear(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'begin':
      does = message.name;
      held = message.config.limits.maxBody;
      if (does === 'objects') return giveUp('there is no such key');
      if (does.startsWith('starts slowly')) await delay(SLOW_MS);
      return say({ kind: 'serving' });
    case 'tell': {
      if (does === 'hangs') for (;;); // as a loop that never ends
      if (does === 'is mute') return;
      if (does === 'crashes') process.exit(3);
      if (does === 'talks') say({ kind: 'news', spent: [], worked: [] });
      counted += 1;
      const figure = (name: string, type: string, value: number): Figures[number] => {
        return { name, help: '', type, values: [{ labels: {}, value }] };
      };
      say({
        kind: 'figures',
        figures: [figure('asked_total', 'counter', counted), figure('held', 'gauge', held)],
        traffic: { sinceMs: 5, outcomes: [['accepted', counted]], refusedSources: [] },
      });
      return say({ kind: 'done', id: message.id });
    }
    case 'prepare':
      judged = message.config.limits.maxBody;
      if (does === 'crashes when it judges') process.exit(3);
      return say({
        kind: 'done',
        id: message.id,
        ...(does.endsWith('refuses') && { refusal: 'there is no such file' }),
      });
    case 'take':
      if (does.endsWith('refuses')) return giveUp('there is no such file');
      held = judged;
      return say({ kind: 'done', id: message.id });
    case 'news':
      return say({
        kind: 'keys',
        used: [{ key: { id: String(process.argv[2]), name: 'heard' }, requests: 1, bytes: 0 }],
      });
    case 'drain':
      if (does !== 'stays') process.disconnect?.();
      return;
    case 'connection':
    case 'level':
    case 'leave':
  }
}

function giveUp(why: string): void {
  process.send?.({ kind: 'unable', why } satisfies ToOffice, () => process.exit(1));
}
