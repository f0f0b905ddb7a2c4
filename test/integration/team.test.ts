import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.ts';
import { mergeTraffic } from '../../src/traffic/merged.ts';
import type { WorkerEnd } from '../../src/telemetry/worker-metrics.ts';
import { addUp } from '../../src/telemetry/figures.ts';
import { createTeam } from '../../src/workers/team.ts';
import type { Team } from '../../src/workers/team.ts';
import { until } from '../support/wait.ts';

const WORKER = fileURLToPath(new URL('../support/team-worker.ts', import.meta.url));
const config = configSchema.parse({});

/** Real processes, each of which does what it is called. */
function createTeamOf(t: TestContext, names: readonly string[], beatMs = 60_000) {
  const replaced: WorkerEnd[] = [];
  const log: { message: string; fields: object | undefined }[] = [];
  const seen = { running: 0, unanswered: 0, heard: [] as string[], started: [] as (number | undefined)[] };
  const team = createTeam({
    size: names.length,
    assign: (worker) => ({ worker, name: names[worker - 1] ?? '', config }),
    startProcess(worker) {
      const child = fork(WORKER, [String(worker)], { execArgv: ['--disable-warning=ExperimentalWarning'] });
      seen.started.push(child.pid);
      return child;
    },
    maxConnections: () => 10,
    observe: {
      running: (count) => (seen.running = count),
      replaced: (why) => replaced.push(why),
      unanswered: () => (seen.unanswered += 1),
      turnedAway: () => {},
      keys: (used) => used.forEach(({ key }) => seen.heard.push(key.id)),
      found: () => {},
    },
    log: (_level, message, fields) => log.push({ message, fields }),
    welcome: () => ({ kind: 'level', level: 'debug' }),
    beatMs,
  });
  t.after(() => team.close());
  return { team, replaced, log, seen };
}

function asked(team: Team): number {
  return addUp(team.figures()).find(({ name }) => name === 'asked_total')?.values[0]?.value ?? 0;
}

describe('a team of workers', () => {
  it('tells its figures together, and keeps what a worker had counted when that is replaced', async (t) => {
    const { team, replaced, log, seen } = createTeamOf(t, ['works', 'works too']);
    await team.start();
    assert.deepEqual([team.serving(), seen.running], [2, 2]);
    await team.tell();
    await team.tell();
    assert.equal(asked(team), 4);
    process.kill(seen.started[0] ?? 0, 'SIGKILL');
    await until('it is missed', () => replaced.length === 1);
    assert.equal(asked(team), 4);
    await until('it is replaced', () => team.serving() === 2);
    await team.tell();
    assert.equal(asked(team), 6);
    const { outcomes, sinceMs } = mergeTraffic(team.traffic(), 9);
    assert.deepEqual([...outcomes, sinceMs], [['accepted', 6], 5]);
    assert.deepEqual(replaced, ['killed']);
    assert.deepEqual(log, [
      {
        message: 'a worker has ended, and is replaced; its connections are broken, all others go on',
        fields: {
          worker: 1,
          fault: 'killed',
          cause: 'it was killed (SIGKILL), which is what happens when memory runs out',
          pause_ms: 0,
        },
      },
    ]);
  });

  it('waits for one that is mute no longer than a second, and goes by what it said last', async (t) => {
    const { team, replaced, seen } = createTeamOf(t, ['works', 'is mute']);
    await team.start();
    await Promise.all([team.tell(), team.tell()]);
    assert.deepEqual([asked(team), seen.unanswered, replaced.length], [1, 1, 0]);
  });

  it('replaces one that does not answer three times in a row, though it runs on', async (t) => {
    const { team, replaced, seen } = createTeamOf(t, ['works', 'hangs'], 100);
    await team.start();
    await until('it is given up', () => replaced.length === 1, 20_000);
    assert.deepEqual(replaced, ['hung']);
    await until('it is replaced', () => seen.started.length === 3);
  });

  it('starts one that crashes at once again after a pause that grows', async (t) => {
    const { team, replaced, log } = createTeamOf(t, ['works', 'crashes'], 50);
    await team.start();
    await until('it has crashed again and again', () => replaced.length === 3, 20_000);
    assert.deepEqual(replaced, ['crashed', 'crashed', 'crashed']);
    assert.deepEqual(
      log.map(({ fields }) => fields),
      [0, 500, 1_000].map((pause) => ({
        worker: 2,
        fault: 'crashed',
        cause: 'it ended with exit code 3; its last words are above',
        pause_ms: pause,
      })),
    );
    assert.equal(team.serving(), 1);
  });

  it('does not start when one of it cannot, says why, and leaves nobody behind', async (t) => {
    const { team, seen } = createTeamOf(t, ['works', 'objects']);
    await assert.rejects(team.start(), { message: 'worker 2 cannot start: there is no such key' });
    await until('all have ended', () => seen.started.every((pid) => !isAlive(pid)));
  });

  it('tells the others what one has to tell, and not itself', async (t) => {
    const { team, seen } = createTeamOf(t, ['works', 'works too', 'talks']);
    await team.start();
    await team.tell();
    await until('the others have heard it', () => seen.heard.length === 2);
    assert.deepEqual(seen.heard.toSorted(), ['1', '2']);
  });

  it('has ended when the last one has, and not before', async (t) => {
    const { team, seen } = createTeamOf(t, ['works', 'works too']);
    await team.start();
    await team.tell();
    await team.drain(20_000);
    assert.deepEqual(seen.started.map(isAlive), [false, false]);
    assert.equal(asked(team), 2);
  });

  it('ends at once when it is closed', async (t) => {
    const { team, seen } = createTeamOf(t, ['works', 'stays']);
    await team.start();
    await team.close();
    assert.deepEqual(seen.started.map(isAlive), [false, false]);
  });
});

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}
