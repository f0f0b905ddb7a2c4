import { setTimeout as delay } from 'node:timers/promises';

/** Resolves once the condition holds; fails with what was waited for if that takes longer than it may. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`within ${withinMs} ms it did not come true: ${what}`);
    await delay(10);
  }
}

/** A condition for `until`: the number has stayed the same for this long. */
export function stillness(read: () => number, forMs: number): () => boolean {
  let last = Number.NaN;
  let since = 0;
  return () => {
    const now = read();
    if (now !== last) [last, since] = [now, performance.now()];
    return performance.now() - since > forMs;
  };
}
