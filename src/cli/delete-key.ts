import type { CliCommand } from './cli-command.ts';
import type { KeyAdmin } from './key-admin.ts';
import type { Session } from './session.ts';
import { onlyId } from './values.ts';

export interface DeleteFlags {
  readonly id?: string;
}

export interface Deletion {
  readonly remove: (admin: KeyAdmin, id: string) => Promise<void>;
  /** "Ingestion Api Key deleted" */
  readonly message: string;
  readonly jsonKey: string;
}

/** Deletes by id, which may be given as a flag or, as the guides of StackState write it, as the only operand. */
export async function deleteAndTell(
  command: CliCommand,
  { flags, operands, printer, withKeyAdmin }: Session<DeleteFlags>,
  { remove, message, jsonKey }: Deletion,
): Promise<void> {
  const id = onlyId(command, flags, operands);
  await withKeyAdmin((admin) => remove(admin, id));
  if (printer.json) printer.printJson({ [jsonKey]: Number(id) });
  else printer.success(`${message}: ${id}`);
}
