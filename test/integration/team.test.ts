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
import { createReloader, readOnce, reload } from '../../src/reload.ts';
import { until } from '../support/wait.ts';

const WORKER = fileURLToPath(new URL('../support/team-worker.ts', import.meta.url));
const config = configSchema.parse({});
const OLD = config.limits.maxBody;
const NEW = 1_024;
const next = configSchema.parse({ limits: { maxBody: `${NEW}B` } });

/** Real processes, each of which does what it is called, and the configuration that they have. */
function createTeamOf(t: TestContext, names: readonly string[], beatMs = 60_000) {
  const replaced: WorkerEnd[] = [];
  const log: { message: string; fields: object | undefined }[] = [];
  const seen = {
    running: 0,
    fewest: Infinity,
    unanswered: 0,
    heard: [] as string[],
    started: [] as (number | undefined)[],
    isEnding: false,
  };
  const reloader = createReloader({ config, read: readOnce(), parts: [] });
  const team = createTeam({
    size: names.length,
    assign: (worker) => {
      return { worker, workers: names.length, name: names[worker - 1] ?? '', config: reloader.current() };
    },
    startProcess(worker) {
      const child = fork(WORKER, [String(worker)], { execArgv: ['--disable-warning=ExperimentalWarning'] });
      seen.started.push(child.pid);
      return child;
    },
    maxConnections: () => 10,
    drainTimeoutMs: () => 20_000,
    isEnding: () => seen.isEnding,
    observe: {
      running(count) {
        if (count < seen.running) seen.fewest = Math.min(seen.fewest, count);
        seen.running = count;
      },
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
  const observe = { reloaded() {}, refused() {} };
  return {
    team,
    replaced,
    log,
    seen,
    reload: () => reload(next, reloader, observe, team),
    end: (worker: number, signal: NodeJS.Signals) => process.kill(seen.started[worker - 1] ?? 0, signal),
    /** Of each, what it holds of the configuration. */
    async held(): Promise<(number | undefined)[]> {
      await team.tell();
      return team
        .figures()
        .flatMap((figures) => figures.filter(({ name }) => name === 'held').map(({ values }) => values[0]?.value));
    },
  };
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
    await team.drain();
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

describe('a team of workers whose configuration changes', () => {
  it('takes it when all of them can use it', async (t) => {
    const { team, reload, held } = createTeamOf(t, ['works', 'works too', 'works as well']);
    await team.start();
    assert.deepEqual(await held(), [OLD, OLD, OLD]);
    assert.deepEqual(await reload(), { result: 'applied', applied: ['limits.maxBody'], needRestart: [] });
    assert.deepEqual(await held(), [NEW, NEW, NEW]);
  });

  it('keeps what it has, all of it, when one of them cannot', async (t) => {
    const { team, replaced, seen, reload, held, end } = createTeamOf(t, ['works', 'refuses', 'works as well']);
    await team.start();
    assert.deepEqual(await reload(), { result: 'refused', cause: 'worker 2: there is no such file' });
    assert.deepEqual(await held(), [OLD, OLD, OLD]);
    end(1, 'SIGKILL');
    await until('one is replaced', () => replaced.length === 1 && team.serving() === 3, 20_000);
    assert.deepEqual(await held(), [OLD, OLD, OLD]);
    assert.equal(seen.unanswered, 0);
  });

  it('has no say of one that ends meanwhile; who takes its place holds what the others do', async (t) => {
    const { team, replaced, reload, held } = createTeamOf(t, ['works', 'crashes when it judges']);
    await team.start();
    assert.equal((await reload()).result, 'applied');
    await until('it is replaced', () => replaced.length === 1 && team.serving() === 2, 20_000);
    assert.deepEqual(await held(), [NEW, NEW]);
  });

  it('does not wait for one that is starting, which takes what the others took', async (t) => {
    const { team, replaced, seen, reload, held, end } = createTeamOf(t, ['works', 'starts slowly']);
    await team.start();
    end(2, 'SIGKILL');
    await until('another one is starting', () => seen.started.length === 3);
    assert.equal((await reload()).result, 'applied');
    assert.equal(team.serving(), 1);
    await until('it serves', () => team.serving() === 2, 20_000);
    assert.deepEqual(await held(), [NEW, NEW]);
    assert.deepEqual([replaced, seen.unanswered], [['killed'], 0]);
  });

  it('has one that was starting, and cannot use what the others hold, begin again with that', async (t) => {
    const { team, replaced, seen, log, reload, held, end } = createTeamOf(t, ['works', 'starts slowly, then refuses']);
    await team.start();
    end(2, 'SIGKILL');
    await until('another one is starting', () => seen.started.length === 3);
    assert.equal((await reload()).result, 'applied');
    await until('it has given up', () => replaced.length === 2, 20_000);
    assert.deepEqual(replaced, ['killed', 'unable']);
    assert.deepEqual(log[1]?.fields, {
      worker: 2,
      fault: 'unable',
      cause: 'there is no such file',
      pause_ms: 500,
    });
    await until('yet another one serves', () => team.serving() === 2, 20_000);
    assert.deepEqual(await held(), [NEW, NEW]);
  });
});

describe('a worker that somebody tells to end', () => {
  it('is replaced once it has finished, counts for no crash, and what it had counted stays', async (t) => {
    const { team, replaced, seen, log, end } = createTeamOf(t, ['works', 'works too']);
    await team.start();
    await team.tell();
    end(1, 'SIGTERM');
    await until('it is replaced', () => seen.started.length === 3 && team.serving() === 2, 20_000);
    assert.deepEqual([replaced, isAlive(seen.started[0]), isAlive(seen.started[1])], [[], false, true]);
    await team.tell();
    assert.equal(asked(team), 4);
    assert.deepEqual(
      log.map(({ message, fields }) => [message, fields]),
      [
        [
          'a worker was told to end: it gets no more connections, and is replaced when those it has are done',
          { worker: 1 },
        ],
      ],
    );
  });

  it('waits until all others serve: they go one after the other', async (t) => {
    const { team, replaced, seen, end } = createTeamOf(t, ['works', 'works too', 'works as well']);
    await team.start();
    for (const worker of [1, 2, 3]) end(worker, 'SIGTERM');
    await until('all are replaced', () => seen.started.length === 6 && team.serving() === 3, 20_000);
    assert.deepEqual(seen.started.slice(0, 3).map(isAlive), [false, false, false]);
    assert.deepEqual([seen.fewest, replaced], [2, []]);
  });

  it('goes on when all are about to end, until it is told so with the others', async (t) => {
    const { team, seen, log, end } = createTeamOf(t, ['works', 'works too']);
    await team.start();
    seen.isEnding = true;
    for (const worker of [1, 2]) end(worker, 'SIGTERM');
    await team.tell();
    await team.tell(); // whatever they had said before is heard by now
    assert.deepEqual([team.serving(), log], [2, []]);
    await team.drain();
    assert.deepEqual(seen.started.map(isAlive), [false, false]);
    assert.equal(seen.started.length, 2);
  });
});

function isAlive(pid: number | undefined): boolean {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
}
