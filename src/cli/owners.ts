import type { Owner, OwnerDetails } from '../admin/owner-schemas.ts';
import { OWNER_ROLES } from '../keys/record.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { revocationIn } from './delete-key.ts';
import type { DeleteFlags } from './delete-key.ts';
import { UsageError } from './errors.ts';
import type { KeyAdmin, OwnerAdmin } from './key-admin.ts';
import { addListFlags, LONG_LIST, readListFlags } from './list-flags.ts';
import type { ListFlags } from './list-flags.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { addWaitFlag, confirmPropagation, readWait, tellPropagation } from './wait-flag.ts';
import { collectOrNone, formatTime, onlyId } from './values.ts';

/** One kind of owner, in the words of its commands. */
interface OwnerKindWords {
  /** "service-id" */
  readonly group: string;
  /** "Service id" */
  readonly title: string;
  /** "a service id" */
  readonly one: string;
  /** What it stands for. */
  readonly about: string;
  /** A name for the examples. */
  readonly example: string;
  readonly owners: (admin: KeyAdmin) => OwnerAdmin;
}

const SERVICE_IDS: OwnerKindWords = {
  group: 'service-id',
  title: 'Service id',
  one: 'a service id',
  about: 'A service id stands for a program or a team that sends telemetry: the right owner of keys in production.',
  example: 'checkout',
  owners: (admin) => admin.serviceIds,
};

const USERS: OwnerKindWords = {
  group: 'user',
  title: 'User',
  one: 'a user',
  about: 'A user stands for a person. Keys of a user stop when the person leaves; give production a service id.',
  example: 'alice',
  owners: (admin) => admin.users,
};

const EXAMPLE_ID = '71823450012344';

/** keygate service-id | user: create | list | describe | update | lock | unlock | delete */
export function addOwners(program: CliCommand, runtime: Runtime): void {
  for (const kind of [SERVICE_IDS, USERS]) {
    const group = addCommand(program, {
      name: kind.group,
      summary: `Manage ${kind.title.toLowerCase()}s, which own keys`,
      description:
        `Manage ${kind.title.toLowerCase()}s, which own keys and service tokens.\n${kind.about}\n` +
        'A key with an owner works only while that one is neither locked nor deleted, and sends only while it has the\n' +
        'role Sender. A key without an owner depends on nobody.',
    });
    addCreate(group, runtime, kind);
    addList(group, runtime, kind);
    addDescribe(group, runtime, kind);
    addUpdate(group, runtime, kind);
    addEnding(group, runtime, kind, 'lock');
    addEnding(group, runtime, kind, 'unlock');
    addEnding(group, runtime, kind, 'delete');
  }
}

interface CreateFlags {
  readonly name: string;
  readonly description?: string;
  readonly roles?: string[];
}

const ROLES_FLAG = `What its keys may do: ${OWNER_ROLES.join(', ')}, or none`;

function addCreate(parent: CliCommand, runtime: Runtime, { group, title, one, example, owners }: OwnerKindWords): void {
  const command = addCommand(parent, {
    name: 'create',
    summary: `Create ${one}`,
    description:
      `Create ${one}, to be the owner of keys. It gets the role Sender unless others are given: whoever makes an owner\n` +
      'of ingestion keys wants them to send.',
    examples: [
      { about: 'create one, and a key of it', line: `keygate ${group} create --name ${example}` },
      {
        about: 'the key works only while its owner does',
        line: `keygate ingestion-api-key create --name ${example}-eu --owner ${example}`,
      },
      {
        about: 'create one whose keys may not send yet',
        line: `keygate ${group} create --name ${example} --roles none`,
      },
    ],
    requiredFlags: ['name'],
  })
    .option('-n, --name <string>', `Name of the ${title.toLowerCase()}, which is no number`)
    .option('--description <string>', 'Optional description')
    .option('--roles <strings>', `${ROLES_FLAG} (default Sender)`, collectOrNone);

  does<CreateFlags>(command, runtime, async ({ flags: { name, description, roles }, printer, withKeyAdmin }) => {
    const request = { name, ...(description && { description }), ...(roles !== undefined && { roles }) };
    const owner = await withKeyAdmin((admin) => owners(admin).create(request));
    if (printer.json) return printer.printJson({ [group]: owner });
    printer.success(`${title} created: ${owner.id}`);
  });
}

function addList(parent: CliCommand, runtime: Runtime, { group, title, owners }: OwnerKindWords): void {
  const plural = `${title.toLowerCase()}s`;
  const command = addCommand(parent, {
    name: 'list',
    summary: `List ${plural}`,
    description: `List all ${plural} and whether they are locked.`,
    examples: [{ about: `list all ${plural}`, line: `keygate ${group} list` }],
  });
  addListFlags(command);
  does<ListFlags>(command, runtime, async ({ flags, printer, withKeyAdmin }) => {
    const { query } = readListFlags(command, flags);
    const found = await withKeyAdmin((admin) => owners(admin).list(query));
    if (printer.json) return printer.printJson({ [`${group}s`]: found });
    const header = ['id', 'name', 'state', 'roles', 'description'];
    const wraps = ['name', 'roles', 'description'];
    printer.table({ header, rows: found.map(toRow), wraps }, `No ${plural} found.`, LONG_LIST);
  });
}

function toRow({ id, name, state, roles, description = '-' }: Owner): string[] {
  return [String(id), name, state, `[${roles.join(', ')}]`, description];
}

interface IdFlags {
  readonly id?: string;
}

function addDescribe(parent: CliCommand, runtime: Runtime, { group, title, one, owners }: OwnerKindWords): void {
  const command = addCommand(parent, {
    name: 'describe',
    summary: `Show all about ${one}`,
    description: `Show all about ${one}, also when it was deleted not long ago.`,
    examples: [{ about: 'show one by the id that the list shows', line: `keygate ${group} describe ${EXAMPLE_ID}` }],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', `ID of the ${title.toLowerCase()} to show`);

  does<IdFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const id = onlyId(command, flags, operands);
    const owner = await withKeyAdmin((admin) => owners(admin).get(id));
    if (printer.json) return printer.printJson({ [group]: owner });
    printer.fields([
      ['ID', String(owner.id)],
      ['Name', owner.name],
      ['State', owner.state],
      ['Roles', owner.roles.join(', ') || 'none'],
      ['Description', owner.description],
      ['Keys', owner.keys?.toString()],
      ['In use', owner.keysInUse ? `${owner.keysInUse} in the last hour` : undefined],
      ['Created', `${formatTime(owner.createdAt)} by ${owner.createdBy}`],
      ['Deleted', deletionOf(owner)],
    ]);
  });
}

function deletionOf({ revokedAt, revokedBy }: Owner): string | undefined {
  return revokedAt === undefined ? undefined : `${formatTime(revokedAt)} by ${revokedBy}`;
}

interface UpdateFlags extends IdFlags {
  readonly description?: string;
  readonly roles?: string[];
}

function addUpdate(parent: CliCommand, runtime: Runtime, { group, title, one, owners }: OwnerKindWords): void {
  const command = addCommand(parent, {
    name: 'update',
    summary: `Change ${one}`,
    description: `Change the description or the roles of ${one}. What is not given stays as it is.`,
    examples: [
      { about: 'let its keys send no more', line: `keygate ${group} update --id ${EXAMPLE_ID} --roles none` },
      { about: 'let them send again', line: `keygate ${group} update --id ${EXAMPLE_ID} --roles Sender` },
    ],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', `ID of the ${title.toLowerCase()} to change`)
    .option('--description <string>', 'New description; "" for none')
    .option('--roles <strings>', ROLES_FLAG, collectOrNone);

  does<UpdateFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const id = onlyId(command, flags, operands);
    const { description, roles } = flags;
    if (description === undefined && roles === undefined) {
      throw new UsageError('nothing to change: give --description or --roles', { duringParse: true, command });
    }
    const update = { ...(description !== undefined && { description }), ...(roles !== undefined && { roles }) };
    const owner = await withKeyAdmin((admin) => owners(admin).update(id, update));
    if (printer.json) printer.printJson({ [group]: owner });
    else printer.success(`${title} updated: ${id}`);
  });
}

interface Ending {
  readonly summary: (one: string) => string;
  readonly description: string;
  readonly done: string;
  /** What becomes of its keys, of which there are some. */
  readonly consequence: string;
}

const ENDINGS: Readonly<Record<'lock' | 'unlock' | 'delete', Ending>> = {
  lock: {
    summary: (one) => `Refuse all keys of ${one}`,
    description: 'All its keys and service tokens are refused from then on, everywhere, until it is unlocked.',
    done: 'locked',
    consequence: 'refused until it is unlocked',
  },
  unlock: {
    summary: (one) => `Take the keys of ${one} again`,
    description: 'Take its keys and service tokens again after it was locked.',
    done: 'unlocked',
    consequence: 'taken again',
  },
  delete: {
    summary: (one) => `Delete ${one}, and stop all its keys`,
    description:
      'All its keys and service tokens are refused from then on, everywhere and for good: a new one of the same name\n' +
      'does not bring them back. To stop them for a while, lock it instead. If keys of it were used within the last hour,\n' +
      'it is not deleted without --force, unless it is locked.',
    done: 'deleted',
    consequence: 'refused for good',
  },
};

function addEnding(
  parent: CliCommand,
  runtime: Runtime,
  { group, title, one, owners }: OwnerKindWords,
  verb: 'lock' | 'unlock' | 'delete',
): void {
  const { summary, description, done, consequence } = ENDINGS[verb];
  const command = addCommand(parent, {
    name: verb,
    summary: summary(one),
    description,
    examples: [{ about: `${verb} one by the id that the list shows`, line: `keygate ${group} ${verb} ${EXAMPLE_ID}` }],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', `ID of the ${title.toLowerCase()} to ${verb}`);
  if (verb === 'delete') command.option('--force', 'Delete it even if keys of it were used within the last hour');
  addWaitFlag(command);

  does<DeleteFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const id = onlyId(command, flags, operands);
    const wait = readWait(command, flags);
    const owner = await withKeyAdmin((admin) =>
      verb === 'delete' ? owners(admin).delete(id, wait, revocationIn(flags)) : owners(admin)[verb](id, wait),
    );
    if (printer.json) printer.printJson({ [group]: owner });
    else {
      printer.success(`${title} ${done}: ${id}`);
      printer.line(`${countKeys(owner)} ${consequence}.${verb === 'unlock' ? '' : inUse(owner)}`);
    }
    tellPropagation(printer, owner.propagation);
    confirmPropagation(owner.propagation, wait);
  });
}

/** Whether somebody will notice. */
function inUse({ keysInUse = 0 }: OwnerDetails): string {
  return keysInUse === 0 ? '' : ` Used within the last hour: ${keysInUse}.`;
}

function countKeys({ keys }: OwnerDetails): string {
  if (keys === undefined) return 'All its keys are';
  if (keys === 0) return 'It has no keys that would be';
  return keys === 1 ? '1 key is' : `${keys} keys are`;
}
