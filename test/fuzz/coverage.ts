import { Session } from 'node:inspector';
import type { Profiler } from 'node:inspector';

/** Which blocks of the wire plane have run, as V8 counts them. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  #lately: string[] = [];

  /** Whether blocks have run since the last look that never had before. */
  grew(): boolean {
    this.#lately = [];
    this.#session.post('Profiler.takePreciseCoverage', (_error, taken) => {
      for (const script of taken?.result ?? []) if (script.url.includes('/src/plane/wire/')) this.#add(script);
    });
    return this.#lately.length > 0;
  }

  /** As if what was new in the last look had not run. */
  forget(): void {
    for (const block of this.#lately) this.#seen.delete(block);
  }

  #add({ url, functions }: Profiler.ScriptCoverage): void {
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        const block = `${url}:${startOffset}:${endOffset}`;
        if (count === 0 || this.#seen.has(block)) continue;
        this.#seen.add(block);
        this.#lately.push(block);
      }
    }
  }

  close(): void {
    this.#session.disconnect();
  }
}
