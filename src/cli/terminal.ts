/** The world outside a command: an argument, so that tests can be that world. */
export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  /** What is piped in. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Output {
  /** `done` is called when the text has gone out, or could not. */
  write(text: string, done?: (error?: Error | null) => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export function processTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    // `keygate … list | head -1` closes the pipe early; that is the reader's right and no fault.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  const { stdout, stderr, env } = process;
  return {
    stdout,
    stderr,
    env,
    // Only who wants it opens it: an open one can keep a process alive.
    get stdin() {
      return process.stdin;
    },
  };
}
