import { KEY_TYPES } from '../keys/scope.ts';
import type { KeyType } from '../keys/scope.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { CliError, EXIT, UsageError } from './errors.ts';
import type { KeyAdmin } from './key-admin.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';

/** keygate get-ingestion-key [sensor|rum|thirdParty] [NAME], as groundcover's command line has it below `auth`. */
export function addGetIngestionKey(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'get-ingestion-key',
    summary: 'Print the ingestion key of a type and name; make it if there is none',
    description:
      'Print the ingestion key of this type and name, and nothing else; if there is none, it is made first. For scripts that\n' +
      'install something, and that are run again: it takes a type of key that is revealable (keys.revealable). Each time it\n' +
      'is printed is an entry in the audit log.',
    examples: [
      { about: 'the key for the sensors of a cluster', line: 'keygate get-ingestion-key sensor prod-eu' },
      {
        about: 'one with a name of its own making',
        line: 'helm upgrade --install groundcover groundcover/groundcover --set global.groundcover_token=$(keygate get-ingestion-key sensor)',
      },
    ],
  })
    .argument('[TYPE]')
    .argument('[NAME]');

  does<object>(command, runtime, async ({ operands: [type, name], printer, withKeyAdmin }) => {
    const wanted = readType(type, command);
    const key = await withKeyAdmin((admin) => getOrCreate(admin, wanted, name || defaultName(wanted)));
    if (printer.json) printer.printJson({ key });
    else printer.line(key);
  });
}

function readType(text: string | undefined, command: CliCommand): KeyType {
  if (!text) throw new UsageError('ingestion key type is required', { duringParse: true, command });
  const found = KEY_TYPES.find((each) => each === text);
  if (found !== undefined) return found;
  const message = `invalid ingestion key type ${JSON.stringify(text)}: it must be one of ${KEY_TYPES.join(', ')}`;
  throw new UsageError(message, { duringParse: true, command });
}

/** As groundcover's command line calls it. */
function defaultName(type: KeyType): string {
  return `cli-generated-ingestion-key-${type.toLowerCase()}`;
}

async function getOrCreate(admin: KeyAdmin, type: KeyType, name: string): Promise<string> {
  const found = await find(admin, type, name);
  if (found !== undefined) return reveal(admin, found, type, name);
  try {
    return (await admin.createIngestionKey({ name, type })).apiKey;
  } catch (error) {
    // Somebody else may have been quicker.
    const meanwhile = error instanceof CliError && error.exitCode === EXIT.refused && (await find(admin, type, name));
    if (!meanwhile) throw error;
    return reveal(admin, meanwhile, type, name);
  }
}

/** The id of the key that has this name for itself. */
async function find(admin: KeyAdmin, type: KeyType, name: string): Promise<string | undefined> {
  // A list looks for parts of names, and for patterns.
  const listed = await admin.listIngestionKeys(/[*?]/.test(name) ? {} : { name });
  const key = listed.find(
    (each) =>
      each.name === name &&
      each.replacedBy === undefined &&
      (each.expiration === undefined || each.expiration > Date.now()),
  );
  if (key === undefined) return undefined;
  if (key.type === type) return String(key.id);
  const is = key.type === undefined ? 'has no type' : `is of type ${key.type}`;
  throw new CliError(`the ingestion key ${JSON.stringify(name)} ${is}, not ${type}: give another name`, {
    exitCode: EXIT.refused,
  });
}

async function reveal(admin: KeyAdmin, id: string, type: KeyType, name: string): Promise<string> {
  try {
    return (await admin.revealIngestionKey(id)).apiKey;
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.refused) throw error;
    throw new CliError(
      `the ingestion key ${JSON.stringify(name)} is there, but cannot be printed again. Declare its type revealable ` +
        `(keys.revealable.types: [${type}]) and rotate it: keygate ingestion-api-key rotate --id ${id}`,
      { exitCode: EXIT.refused, reason: error.reason ?? error.message, details: error.details ?? error.message },
    );
  }
}
