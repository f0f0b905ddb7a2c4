import type { IngestionKeyDetails, RotatedIngestionKey } from '../admin/life-schemas.ts';
import type { IngestionKey } from '../admin/schemas.ts';
import { KIND_NAMES } from '../keys/record.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { createAndShow } from './create-key.ts';
import type { CreateFlags } from './create-key.ts';
import { deleteAndTell, FORCE_FLAG } from './delete-key.ts';
import type { DeleteFlags } from './delete-key.ts';
import { UsageError } from './errors.ts';
import { addKeyLife } from './key-life.ts';
import type { LifeKind } from './key-life.ts';
import { addListFlags, LONG_LIST, moreColumns, readListFlags } from './list-flags.ts';
import type { ListFlags, ShownDetails } from './list-flags.ts';
import { addReveal } from './reveal-key.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { addScopeFlags, describeScope, readScope, readScopeUpdate } from './scope-flags.ts';
import type { ScopeFlags } from './scope-flags.ts';
import { addWaitFlag } from './wait-flag.ts';
import { formatExpiration, onlyId, parseExpiration, parseNewExpiration } from './values.ts';

/** keygate ingestion-api-key create | list | describe | update | disable | enable | rotate | reveal | delete */
export function addIngestionApiKey(program: CliCommand, runtime: Runtime): void {
  const group = addCommand(program, {
    name: 'ingestion-api-key',
    summary: 'Manage Ingestion API Keys',
    description:
      'Manage API Keys used by ingestion pipelines, means data (spans, metrics, logs an so on) send by STS Agent, OTel and so on.',
  });
  addCreate(group, runtime);
  addList(group, runtime);
  addUpdate(group, runtime);
  addKeyLife(group, runtime, LIFE);
  addReveal(group, runtime);
  addDelete(group, runtime);
}

interface CreateIngestionKeyFlags extends CreateFlags, ScopeFlags {
  readonly name: string;
  readonly description?: string;
  readonly expiration?: string;
  readonly owner?: string;
}

function addCreate(group: CliCommand, runtime: Runtime): void {
  const create = addCommand(group, {
    name: 'create',
    summary: 'Create a new Ingestion Api Key',
    description:
      "Creates a token and then returns it in the response, the token can't be obtained any more after that so store it in the safe space.",
    examples: [
      { about: 'create a key, and see it once', line: 'keygate ingestion-api-key create --name my-ingestion-api-key' },
      {
        about: 'create a key that is dead from 2030-12-31 00:00 UTC on',
        line: 'keygate ingestion-api-key create --name ci --expiration 2030-12-31 --description "build agents"',
      },
      { about: 'keep the key out of the terminal', line: 'keygate ingestion-api-key create --name ci --file ./ci.key' },
      {
        about: 'take the key from a script',
        line: "keygate ingestion-api-key create --name ci -o json | jq -r '.[].apiKey'",
      },
      {
        about: 'create a key for the pages of a shop, which everybody can read there',
        line: 'keygate ingestion-api-key create --name shop --type rum --signals traces --origin https://shop.example.com',
      },
      {
        about: 'create a key for one network, with 100 requests and 1 MiB per second, and more at once',
        line: 'keygate ingestion-api-key create --name edge --cidr 10.0.0.0/8 --limit-requests 100/500 --limit-bytes 1MiB/8MiB',
      },
      {
        about: 'create a key that stops at once when its owner is locked or deleted',
        line: 'keygate ingestion-api-key create --name checkout-eu --owner checkout',
      },
    ],
    requiredFlags: ['name'],
  })
    .option('-n, --name <string>', 'Name of the API Key')
    .option('--description <string>', 'Optional description of the API Key')
    .option('--expiration <time>', 'Expiration date of the API Key')
    .option('--owner <string>', 'Name or ID of the service id or user that the key works for: only while that one does')
    .option('--file <string>', 'Write the key to this new file (mode 0600) instead of showing it');
  const command = addScopeFlags(create);

  does<CreateIngestionKeyFlags>(command, runtime, (session) => {
    const { name, description, expiration, owner } = session.flags;
    const key = {
      name,
      ...(description !== undefined && description !== '' && { description }),
      ...(expiration !== undefined && { expiration: parseExpiration(expiration) }),
      ...(owner !== undefined && { owner }),
      ...readScope(session.flags),
    };
    return createAndShow(session, {
      create: (admin) => admin.createIngestionKey(key),
      secret: 'apiKey',
      message: 'Ingestion API Key generated',
      jsonKey: 'ingestion-api-key',
    });
  });
}

function addList(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'list',
    summary: 'List Ingestion Api Keys',
    description: 'Returns only metadata without a key itself.',
    examples: [
      { about: 'list the keys by name, dates in UTC', line: 'keygate ingestion-api-key list' },
      {
        about: 'find the id of a key in a script',
        line: 'keygate ingestion-api-key list -o json | jq \'.[][] | select(.name == "ci").id\'',
      },
      {
        about: 'see deleted and replaced keys as well, the first to expire on top',
        line: 'keygate ingestion-api-key list --all --sort expiration',
      },
      {
        about: 'see which keys nobody has used for the longest time',
        line: 'keygate ingestion-api-key list --sort last-used',
      },
      {
        about: 'see the second ten of one team',
        line: "keygate ingestion-api-key list --name 'shop-*' --limit 10 --page 2",
      },
    ],
  });
  addListFlags(command);
  does<ListFlags>(command, runtime, async ({ flags, printer, withKeyAdmin }) => {
    const { query, withDetails } = readListFlags(command, flags);
    const keys: readonly (IngestionKey & ShownDetails)[] = await withKeyAdmin((admin) =>
      withDetails ? admin.ingestionKeys.listDetails(query) : admin.listIngestionKeys(query),
    );
    if (printer.json) return printer.printJson({ 'ingestion-api-keys': keys });
    const more = moreColumns(keys, { withDetails, nowMs: Date.now() });
    const rows = keys.map((key) => [
      String(key.id),
      key.name,
      ...more.cells(key),
      formatExpiration(key.expiration),
      key.description ?? '-',
    ]);
    const header = ['id', 'name', ...more.titles, 'expiration', 'description'];
    printer.table({ header, rows, wraps: ['name', 'description'] }, 'No ingestion api keys found.', LONG_LIST);
  });
}

const LIFE: LifeKind<IngestionKeyDetails, RotatedIngestionKey> = {
  group: 'ingestion-api-key',
  title: 'Ingestion Api Key',
  one: 'an Ingestion Api Key',
  short: 'the key',
  life: (admin) => admin.ingestionKeys,
  secret: 'apiKey',
  describe: ({ description, owner, ...scope }) => [
    ['Description', description],
    ['Owner', owner && `${KIND_NAMES[owner.kind]} ${owner.name} (${owner.id})`],
    ...describeScope(scope),
  ],
};

interface UpdateFlags extends ScopeFlags {
  readonly id?: string;
  readonly description?: string;
  readonly expiration?: string;
}

function addUpdate(group: CliCommand, runtime: Runtime): void {
  const update = addCommand(group, {
    name: 'update',
    summary: 'Change an Ingestion Api Key',
    description:
      'Change a key where it is: its text stays the same, and gateways take the change at once. What is not given stays as\n' +
      'it is, and none removes: --cidr none lets a key be used from everywhere.',
    examples: [
      {
        about: 'let a key expire',
        line: 'keygate ingestion-api-key update --id 250558013078953 --expiration 2030-12-31',
      },
      {
        about: 'let it expire no more, and describe it',
        line: 'keygate ingestion-api-key update --id 250558013078953 --expiration none --description "the shop"',
      },
      {
        about: 'slow a key down, and let it send from one network only',
        line: 'keygate ingestion-api-key update --id 250558013078953 --limit-requests 10/50 --cidr 10.0.0.0/8',
      },
      {
        about: 'take its limits away again',
        line: 'keygate ingestion-api-key update --id 250558013078953 --limit-requests none --cidr none',
      },
    ],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', 'ID of the Ingestion Api Key to change')
    .option('--description <string>', 'New description of the API Key; "" for none')
    .option('--expiration <time>', 'New expiration date of the API Key; none for none');
  const command = addScopeFlags(update);

  does<UpdateFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const id = onlyId(command, flags, operands);
    const { description, expiration } = flags;
    const changes = {
      ...(description !== undefined && { description }),
      ...(expiration !== undefined && { expiration: parseNewExpiration(expiration) }),
      ...readScopeUpdate(flags),
    };
    if (Object.keys(changes).length === 0) {
      throw new UsageError('nothing to change: give --description, --expiration, or what the key is to be limited to', {
        duringParse: true,
        command,
      });
    }
    const key = await withKeyAdmin((admin) => admin.updateIngestionKey(id, changes));
    if (printer.json) printer.printJson({ 'ingestion-api-key': key });
    else printer.success(`Ingestion Api Key updated: ${id}`);
  });
}

function addDelete(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'delete',
    summary: 'Delete an Ingestion Api Key',
    description:
      "Deleted key can't be used by sources, so all ingestion pipelines for that key will fail.\n" +
      'A key that was used within the last hour is not deleted without --force.',
    examples: [
      {
        about: 'delete a key by the id that the list shows',
        line: 'keygate ingestion-api-key delete --id 250558013078953',
      },
      { about: 'the same, shorter', line: 'keygate ingestion-api-key delete 250558013078953' },
      {
        about: 'it leaked: delete it, whoever uses it, and know when every gateway refuses it',
        line: 'keygate ingestion-api-key delete 250558013078953 --force --wait',
      },
    ],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', 'ID of the Ingestion Api Key to delete')
    .option(...FORCE_FLAG);
  addWaitFlag(command);

  does<DeleteFlags>(command, runtime, (session) =>
    deleteAndTell(command, session, {
      remove: (admin, id, revocation, wait) => admin.deleteIngestionKey(id, revocation, wait),
      message: 'Ingestion Api Key deleted',
      jsonKey: 'deleted-ingestion-api-key',
    }),
  );
}
