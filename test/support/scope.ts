/** What ends and takes all that it started with it: a test, or anything else that says so. */
export interface Scope {
  after(cleanup: () => unknown): void;
}
