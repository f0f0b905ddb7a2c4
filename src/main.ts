import { WORKER_COMMAND } from './workers/messages.ts';

if (process.argv[2] === WORKER_COMMAND && process.connected) {
  // A worker needs no commands, and what is not loaded takes no memory.
  const { work } = await import('./cli/worker.ts');
  process.exitCode = await work();
} else {
  const [{ run }, { processTerminal }] = await Promise.all([import('./cli/run.ts'), import('./cli/terminal.ts')]);
  process.exitCode = await run(process.argv.slice(2), processTerminal());
}
