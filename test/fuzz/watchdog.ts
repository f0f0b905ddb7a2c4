import { writeFileSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { shared, file, hangMs } = workerData as { shared: SharedArrayBuffer; file: string; hangMs: number };
const numbers = new Int32Array(shared, 0, 2);

for (let seen = -1; ;) {
  const now = Atomics.load(numbers, 0);
  if (now === seen) {
    writeFileSync(file, Buffer.from(new Uint8Array(shared, 8, numbers[1])));
    console.error(`no turn of the event loop for ${hangMs} ms: ${file}`);
    process.kill(process.pid, 'SIGKILL');
  }
  seen = now;
  Atomics.wait(numbers, 0, now, hangMs);
}
