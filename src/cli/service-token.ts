import type { RotatedServiceToken, ServiceTokenDetails } from '../admin/life-schemas.ts';
import { ROLES, roleNames } from '../admin/roles.ts';
import type { ServiceToken } from '../admin/schemas.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { createAndShow } from './create-key.ts';
import type { CreateFlags } from './create-key.ts';
import { deleteAndTell, FORCE_FLAG } from './delete-key.ts';
import type { DeleteFlags } from './delete-key.ts';
import { addKeyLife } from './key-life.ts';
import type { LifeKind } from './key-life.ts';
import { addListFlags, LONG_LIST, moreColumns, readListFlags } from './list-flags.ts';
import type { ListFlags, ShownDetails } from './list-flags.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { addWaitFlag } from './wait-flag.ts';
import { collectList, formatExpiration, onlyId, parseExpiration, parseNewExpiration } from './values.ts';

/** keygate service-token create | list | update | describe | disable | enable | rotate | delete */
export function addServiceToken(program: CliCommand, runtime: Runtime): void {
  const group = addCommand(program, {
    name: 'service-token',
    summary: 'Manage service tokens',
    description: 'Manage service tokens.',
  });
  addCreate(group, runtime);
  addList(group, runtime);
  addUpdate(group, runtime);
  addKeyLife(group, runtime, LIFE);
  addDelete(group, runtime);
}

interface CreateServiceTokenFlags extends CreateFlags {
  readonly name: string;
  readonly roles: string[];
  readonly expiration?: string;
  readonly dedicatedSubject?: string;
}

function addCreate(group: CliCommand, runtime: Runtime): void {
  const roleList = roleNames.map((role) => `  ${role}: ${ROLES[role].about}`).join('\n');
  const command = addCommand(group, {
    name: 'create',
    summary: 'Create a service token',
    description: `Create a service token for the admin API. It is shown once and can't be obtained any more after that.\n\nRoles:\n${roleList}`,
    examples: [
      {
        about: 'create the first token, on the machine of the key store',
        line: 'keygate service-token create --name ops --roles admin',
      },
      {
        about: 'create a token that may only manage ingestion keys, through the admin API',
        line: 'KEYGATE_SERVICE_TOKEN_FILE=./ops.token keygate service-token create --name ci --roles key-manager --url https://keygate.example.com',
      },
    ],
    requiredFlags: ['name', 'roles'],
  })
    .option('-n, --name <string>', 'Name of the service token')
    .option('--roles <strings>', 'Roles assigned to the service token, separated by commas or repeated', collectList)
    .option('--expiration <time>', 'Expiration date of the service token')
    .option(
      '--dedicatedSubject <string>',
      'Name or id of the user or service id that the token is for: it works only while that one does',
    )
    .option('--file <string>', 'Write the token to this new file (mode 0600) instead of showing it');

  does<CreateServiceTokenFlags>(command, runtime, (session) => {
    const { name, roles, expiration, dedicatedSubject } = session.flags;
    const request = {
      name,
      roles,
      ...(expiration !== undefined && { expiryDate: parseExpiration(expiration) }),
      ...(dedicatedSubject !== undefined && dedicatedSubject !== '' && { dedicatedSubject }),
    };
    return createAndShow(session, {
      create: (admin) => admin.createServiceToken(request),
      secret: 'token',
      message: 'Service token created',
      jsonKey: 'service-token',
    });
  });
}

function addList(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'list',
    summary: 'List service tokens',
    description: 'List all service tokens, without the tokens themselves.',
    examples: [{ about: 'list all service tokens', line: 'keygate service-token list' }],
  });
  addListFlags(command);
  does<ListFlags>(command, runtime, async ({ flags, printer, withKeyAdmin }) => {
    const { query, withDetails } = readListFlags(command, flags);
    const tokens: readonly (ServiceToken & ShownDetails)[] = await withKeyAdmin((admin) =>
      withDetails ? admin.serviceTokens.listDetails(query) : admin.listServiceTokens(query),
    );
    if (printer.json) return printer.printJson({ 'service-tokens': tokens });
    // Few tokens are for somebody: without any, the table is the one of StackState's guides.
    const withSubject = tokens.some((token) => token.dedicatedSubject !== undefined);
    const more = moreColumns(tokens, { withDetails, nowMs: Date.now() });
    const header = ['id', 'name', ...more.titles, 'expiration', 'roles', ...(withSubject ? ['dedicated_subject'] : [])];
    const rows = tokens.map((token) => [
      String(token.id),
      token.name,
      ...more.cells(token),
      formatExpiration(token.expiration),
      `[${token.roles.join(', ')}]`,
      ...(withSubject ? [token.dedicatedSubject ?? '-'] : []),
    ]);
    const wraps = ['name', 'roles', 'dedicated_subject'];
    printer.table({ header, rows, wraps }, 'No service tokens found.', LONG_LIST);
  });
}

const LIFE: LifeKind<ServiceTokenDetails, RotatedServiceToken> = {
  group: 'service-token',
  title: 'Service token',
  one: 'a service token',
  short: 'the token',
  life: (admin) => admin.serviceTokens,
  secret: 'token',
  describe: ({ roles, dedicatedSubject }) => [
    ['Roles', roles.join(', ')],
    ['For', dedicatedSubject],
  ],
};

interface UpdateFlags {
  readonly id?: string;
  readonly expiration?: string;
}

function addUpdate(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'update',
    summary: 'Change when a service token expires',
    description:
      'Change the expiration date of a service token. Its roles are for good: for others, create another token.',
    examples: [
      {
        about: 'let a token expire',
        line: 'keygate service-token update --id 107484341630693 --expiration 2030-12-31',
      },
      { about: 'let it expire no more', line: 'keygate service-token update --id 107484341630693 --expiration none' },
    ],
    requiredFlags: ['id', 'expiration'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', 'ID of the service token to change')
    .option('--expiration <time>', 'New expiration date of the service token; none for none');

  does<UpdateFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const id = onlyId(command, flags, operands);
    const update = { expiryDate: parseNewExpiration(flags.expiration) };
    const token = await withKeyAdmin((admin) => admin.updateServiceToken(id, update));
    if (printer.json) printer.printJson({ 'service-token': token });
    else printer.success(`Service token updated: ${id}`);
  });
}

function addDelete(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'delete',
    summary: 'Delete a service token',
    description:
      'Delete a service token by its ID. Whoever uses it is refused from then on.\n' +
      'A token that was used within the last hour is not deleted without --force.',
    examples: [
      {
        about: 'delete a token by the id that the list shows',
        line: 'keygate service-token delete --id 107484341630693',
      },
      { about: 'the same, shorter', line: 'keygate service-token delete 107484341630693' },
    ],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', 'ID of the service token to delete')
    .option(...FORCE_FLAG);
  addWaitFlag(command);

  does<DeleteFlags>(command, runtime, (session) =>
    deleteAndTell(command, session, {
      remove: (admin, id, revocation, wait) => admin.deleteServiceToken(id, revocation, wait),
      message: 'Service token deleted',
      jsonKey: 'deleted-service-token',
    }),
  );
}
