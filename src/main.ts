import { WORKER_COMMAND } from './workers/messages.ts';

const args = process.argv.slice(2);
const isWorker = args[0] === WORKER_COMMAND && process.connected;

// What ps shows, and pgrep finds: `keygate serve` and `keygate-worker 1`.
process.title = `keygate${isWorker ? '-' : ' '}${args.join(' ')}`;

if (isWorker) {
  // A worker needs no commands, and what is not loaded takes no memory.
  const { work } = await import('./cli/worker.ts');
  process.exitCode = await work();
} else {
  const [{ run }, { processTerminal }] = await Promise.all([import('./cli/run.ts'), import('./cli/terminal.ts')]);
  process.exitCode = await run(args, processTerminal());
}
