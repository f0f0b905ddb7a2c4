/** What ends and takes all that it started with it: a test, or anything else that says so. */
export interface Scope {
  after(cleanup: () => unknown): void;
}

/** One that somebody else than a test says the end of. */
export class Cleanups implements Scope {
  readonly #hooks: (() => unknown)[] = [];
  #isOver = false;

  after(cleanup: () => unknown): void {
    this.#hooks.push(cleanup);
    // What is started when all has ended would run for ever; whoever starts it has failed, and said so.
    if (this.#isOver) this.run().catch(() => {});
  }

  /** Ends everything, the newest first, whichever of it fails to end. */
  async run(): Promise<void> {
    this.#isOver = true;
    const faults: unknown[] = [];
    for (let cleanup = this.#hooks.pop(); cleanup !== undefined; cleanup = this.#hooks.pop()) {
      try {
        await cleanup();
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
  }
}
