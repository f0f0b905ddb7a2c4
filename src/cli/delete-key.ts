import type { Propagation } from '../admin/propagation.ts';
import type { Revocation } from '../keys/key-changes.ts';
import type { CliCommand } from './cli-command.ts';
import type { KeyAdmin, Wait } from './key-admin.ts';
import type { Session } from './session.ts';
import { onlyId } from './values.ts';
import { confirmPropagation, readWait, tellPropagation } from './wait-flag.ts';
import type { WaitFlags } from './wait-flag.ts';

export interface DeleteFlags extends WaitFlags {
  readonly id?: string;
  readonly force?: boolean;
}

export interface Deletion {
  readonly remove: (
    admin: KeyAdmin,
    id: string,
    revocation: Revocation,
    wait: Wait,
  ) => Promise<Propagation | undefined>;
  /** "Ingestion Api Key deleted" */
  readonly message: string;
  readonly jsonKey: string;
}

export const FORCE_FLAG = ['--force', 'Delete it even if it was used within the last hour'] as const;

export function revocationIn({ force }: DeleteFlags): Revocation {
  return { force: force === true };
}

/** Deletes by id, which may be given as a flag or, as the guides of StackState write it, as the only operand. */
export async function deleteAndTell(
  command: CliCommand,
  { flags, operands, printer, withKeyAdmin }: Session<DeleteFlags>,
  { remove, message, jsonKey }: Deletion,
): Promise<void> {
  const id = onlyId(command, flags, operands);
  const revocation = revocationIn(flags);
  const wait = readWait(command, flags);
  const propagation = await withKeyAdmin((admin) => remove(admin, id, revocation, wait));
  if (printer.json) printer.printJson({ [jsonKey]: Number(id), ...(propagation && { propagation }) });
  else printer.success(`${message}: ${id}`);
  tellPropagation(printer, propagation);
  confirmPropagation(propagation, wait);
}
