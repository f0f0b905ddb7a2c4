/** A fault that no single option shows: it takes two of them, or a look at the file that one names. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The other options that are part of it. If one of them is faulty itself, this problem may only be a consequence. */
  readonly others?: readonly string[];
}
