import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { Socket } from 'node:net';
import type { Config } from '../config/schema.ts';
import { createLog } from '../telemetry/log.ts';
import type { AdjustableLog } from '../telemetry/log.ts';
import { createWorker } from '../worker.ts';
import type { Worker } from '../worker.ts';
import { WORKER_COMMAND } from '../workers/messages.ts';
import type { Assignment, ToOffice, ToWorker } from '../workers/messages.ts';
import { yieldToRequests } from './helper-threads.ts';

/** This program once more, as a worker: it hears from us, and writes where we write. */
export function startWorkerProcess(worker: number): ChildProcess {
  const [, main = ''] = process.argv;
  return fork(main, [WORKER_COMMAND, String(worker)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

/** Serves senders until the office says that it is over, or has ended; returns the process's exit code. */
export function work(): Promise<number> {
  // A terminal sends these to all processes: what they mean is for the office to say.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  // This one may be meant: the office knows whether all are to end, and when this one can.
  process.on('SIGTERM', () => say({ kind: 'leaving' }));
  return new Promise((resolve) => {
    let isReady = false;
    let started: Promise<void> = Promise.resolve();
    let serving: { readonly worker: Worker; readonly log: AdjustableLog } | undefined;

    async function begin(assignment: Assignment): Promise<void> {
      const log = createLog({ ...assignment.config.log, output: process.stdout, worker: assignment.worker });
      try {
        yieldToRequests();
        const worker = await createWorker(assignment, log, say);
        serving = { worker, log };
        await worker.start();
        isReady = true;
      } catch (error) {
        await giveUp(error);
      }
    }

    function prepare(id: number, config: Config): void {
      const refusal = serving?.worker.prepare(config);
      say({ kind: 'done', id, ...(refusal !== undefined && { refusal }) });
    }

    /** A worker that does not do what its siblings do is none: another one begins with what they have. */
    async function take(id: number): Promise<void> {
      try {
        serving?.worker.take();
        say({ kind: 'done', id });
      } catch (error) {
        await giveUp(error);
      }
    }

    async function giveUp(error: unknown): Promise<void> {
      await sayAndWait({ kind: 'unable', why: error instanceof Error ? error.message : String(error) });
      process.exit(1); // what it has begun to open would keep it alive
    }

    async function drain(): Promise<void> {
      await serving?.worker.drain();
      await sayAndWait({ kind: 'done', id: 0 }); // by then, all that was said before has left
      process.off('disconnect', onOfficeGone);
      if (process.connected) process.disconnect?.();
      resolve(0);
    }

    function onOfficeGone(): void {
      // Nobody is connected to one that has not said that it serves, and what it has begun to open would keep it alive.
      if (!isReady) process.exit(1);
      serving?.log('error', 'the process that hands out connections has ended; requests in flight are finished');
      void drain();
    }

    process.on('disconnect', onOfficeGone);
    process.on('message', (message: ToWorker, handle: unknown) => {
      switch (message.kind) {
        case 'begin':
          started = begin(message);
          return;
        case 'connection':
          if (handle instanceof Socket) return serving?.worker.accept(message.port, handle);
          // It was closed before it could be handed over.
          say({ kind: 'taken' });
          return say({ kind: 'closed', port: message.port, connections: 1 });
        case 'tell':
          return void serving?.worker.tell().then(() => say({ kind: 'done', id: message.id }));
        case 'news':
          return serving?.worker.hear(message);
        case 'prepare':
          return void started.then(() => prepare(message.id, message.config));
        case 'take':
          return void started.then(() => take(message.id));
        case 'level':
          return serving?.log.setLevel(message.level);
        case 'leave':
          return serving?.worker.leave();
        case 'drain':
          return void drain();
      }
    });
  });
}

/** To an office that is gone, nothing is said. */
function say(message: ToOffice): void {
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}

function sayAndWait(message: ToOffice): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || process.send === undefined) return resolve();
    process.send(message, undefined, {}, () => resolve());
  });
}
