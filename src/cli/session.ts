import type { CliCommand } from './cli-command.ts';
import { requireFlags } from './command.ts';
import { UsageError } from './errors.ts';
import type { KeyAdmin } from './key-admin.ts';
import type { ConnectionFlags } from './connection.ts';
import type { Printer } from './printer.ts';
import type { Terminal } from './terminal.ts';

/** The flags that every command takes. */
export interface GlobalFlags extends ConnectionFlags {
  readonly output: string;
  readonly color: boolean;
  readonly verbose?: boolean;
}

/** What a command has to work with. */
export interface Session<Flags> {
  readonly flags: Flags & GlobalFlags;
  readonly operands: readonly string[];
  readonly env: Terminal['env'];
  readonly terminal: Terminal;
  readonly printer: Printer;
  /** Tells standard error, whatever the output format. */
  readonly say: (line: string) => void;
  /** Lets go of whatever it opened, whatever comes of the work. */
  readonly withKeyAdmin: <T>(work: (admin: KeyAdmin) => Promise<T>) => Promise<T>;
}

/** Returns an exit code, or nothing for 0. */
export type Work<Flags> = (session: Session<Flags>) => Promise<number | void> | number | void;

/** What the program gives to its commands. */
export interface Runtime {
  readonly terminal: Terminal;
  readonly createPrinter: (flags: GlobalFlags) => Printer;
  readonly exitWith: (code: number) => void;
}

/** Makes a command do its work: required flags are checked first, and usage errors learn which command they are about. */
export function does<Flags>(command: CliCommand, runtime: Runtime, work: Work<Flags>): void {
  command.action(async () => {
    const { env, stderr } = runtime.terminal;
    const flags = command.optsWithGlobals<Flags & GlobalFlags>();
    const say = (line: string): void => void stderr.write(`${line}\n`);
    const note = (line: string): void => {
      if (flags.verbose) say(`keygate: ${line}`);
    };
    try {
      const printer = runtime.createPrinter(flags);
      requireFlags(command);
      const code = await work({
        flags,
        operands: command.args,
        env,
        terminal: runtime.terminal,
        printer,
        say,
        withKeyAdmin: async (useAdmin) => {
          const { openKeyAdmin } = await import('./open-key-admin.ts');
          const admin = await openKeyAdmin(flags, env, note);
          try {
            return await useAdmin(admin);
          } finally {
            await admin.close();
          }
        },
      });
      runtime.exitWith(code ?? 0);
    } catch (error) {
      if (error instanceof UsageError) error.command ??= command;
      throw error;
    }
  });
}
