import { readdirSync, readFileSync } from 'node:fs';
import * as os from 'node:os';

/** Where Linux lists the threads of a process; to the kernel each is a task of its own, with a priority of its own. */
const TASKS = '/proc/self/task';
const HELPERS = /V8Worker/;
const LESS_URGENT = 5;

/**
 * V8's helpers mark garbage and compile beside us. Where they share a core with us, requests would wait for them, up to 60 ms at
 * a time; made less urgent, they wait for requests. Returns their ids: none where there is no such list.
 */
export function yieldToRequests(): readonly number[] {
  const helpers: number[] = [];
  try {
    for (const task of readdirSync(TASKS)) {
      if (!HELPERS.test(readFileSync(`${TASKS}/${task}/comm`, 'utf8'))) continue;
      os.setPriority(Number(task), LESS_URGENT);
      helpers.push(Number(task));
    }
  } catch {
    // Another system, or a sandbox that forbids it: then all are equally urgent, as ever.
  }
  return helpers;
}
