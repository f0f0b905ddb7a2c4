import type { GeneratedIngestionKey } from '../admin/schemas.ts';
import type { Owner } from '../admin/owner-schemas.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { CliError, EXIT, UsageError } from './errors.ts';
import type { KeyAdmin, OwnerAdmin } from './key-admin.ts';
import { reserveKeyFile } from './key-file.ts';
import type { Printer } from './printer.ts';
import { does } from './session.ts';
import type { Runtime, Session } from './session.ts';
import { collectList, formatTime } from './values.ts';

/**
 * keygate iam: what IBM's guides for Cloud Logs have their readers type after `ibmcloud`, with the same operands, flags and
 * fields of JSON. Everything of it is done by other commands as well.
 */
export function addIam(program: CliCommand, runtime: Runtime): void {
  const group = addCommand(program, {
    name: 'iam',
    summary: "Make service ids and API keys in the words of IBM Cloud's command line",
    description:
      'Make service ids, policies and API keys with the commands that guides for IBM Cloud Logs name. As there, a key sends\n' +
      'only while its service id or user has the role Sender, which a policy gives.',
  });
  addServiceIdCreate(group, runtime);
  addPolicyCreate(group, runtime, SERVICE_ID);
  addPolicyCreate(group, runtime, USER);
  addServiceApiKeyCreate(group, runtime);
  addApiKeyCreate(group, runtime);
}

/** One kind of owner, as these commands speak of it. */
interface OwnerWords {
  /** "service ID" */
  readonly title: string;
  readonly policyCommand: string;
  readonly operand: string;
  readonly owners: (admin: KeyAdmin) => OwnerAdmin;
}

const SERVICE_ID: OwnerWords = {
  title: 'service ID',
  policyCommand: 'service-policy-create',
  operand: 'SERVICE_ID',
  owners: (admin) => admin.serviceIds,
};

const USER: OwnerWords = {
  title: 'user',
  policyCommand: 'user-policy-create',
  operand: 'USER_ID',
  owners: (admin) => admin.users,
};

interface DescriptionFlags {
  readonly description?: string;
}

function addServiceIdCreate(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'service-id-create',
    summary: 'Create a service ID',
    description: 'Create a service ID. Its keys may not send before it has a policy with the role Sender.',
    examples: [
      { about: 'create one', line: 'keygate iam service-id-create logs-svc-id --description "Service ID for logs"' },
    ],
    requiredFlags: ['name'],
  })
    .argument('[NAME]')
    .option('-d, --description <string>', 'Description of the service ID');

  does<DescriptionFlags>(command, runtime, async ({ flags: { description }, operands, printer, withKeyAdmin }) => {
    const name = operands[0] as string;
    const request = { name, ...(description && { description }), roles: [] };
    const { id, createdAt } = await withKeyAdmin((admin) => admin.serviceIds.create(request));
    const created = { id: String(id), name, description: description ?? '', created_at: isoTime(createdAt) };
    if (printer.json) return printer.printJson(created);
    printer.success(`Service ID ${name} is created successfully`);
    printer.fields([
      ['ID', created.id],
      ['Name', name],
      ['Description', description],
      ['Created At', formatTime(createdAt)],
    ]);
  });
}

interface PolicyFlags {
  readonly serviceName?: string;
  readonly roles?: string[];
}

const SERVICE_NAME = 'logs';
const SENDER = 'Sender';

function addPolicyCreate(
  group: CliCommand,
  runtime: Runtime,
  { title, policyCommand, operand, owners }: OwnerWords,
): void {
  const command = addCommand(group, {
    name: policyCommand,
    summary: `Let the keys of a ${title} send`,
    description: `Give a ${title}, by its name or its id, the role ${SENDER}: without it, its keys may not send.`,
    examples: [
      {
        about: 'let its keys send',
        line: `keygate iam ${policyCommand} logs-svc-id --service-name logs --roles Sender`,
      },
    ],
    requiredFlags: [operand.toLowerCase()],
  })
    .argument(`[${operand}]`)
    .option('--service-name <string>', `The service that the policy is about: ${SERVICE_NAME}`)
    .option('-r, --roles <strings>', `The role that it gives: ${SENDER}`, collectList);

  does<PolicyFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const { serviceName, roles = [] } = flags;
    if (serviceName !== SERVICE_NAME || roles.length !== 1 || roles[0] !== SENDER) {
      const message = `a policy here is --service-name ${SERVICE_NAME} --roles ${SENDER}, and nothing else`;
      throw new UsageError(message, { duringParse: true, command });
    }
    const owner = await withKeyAdmin(async (admin) => {
      const { id } = await findOwner(owners(admin), title, operands[0] as string);
      return owners(admin).update(String(id), { roles: [SENDER] });
    });
    const policy = { id: String(owner.id), name: owner.name, service_name: serviceName, roles };
    if (printer.json) printer.printJson(policy);
    else printer.success(`${title} ${owner.name} (${owner.id}) has the role ${SENDER}`);
  });
}

interface ApiKeyFlags extends DescriptionFlags {
  readonly file?: string;
  readonly user?: string;
}

function addServiceApiKeyCreate(group: CliCommand, runtime: Runtime): void {
  const command = addApiKeyFlags(
    addCommand(group, {
      name: 'service-api-key-create',
      summary: 'Create an API key of a service ID',
      description: `Create an API key of a service ID, which is named or told by its id. ${SHOWN_ONCE}`,
      examples: [
        { about: 'see it once', line: 'keygate iam service-api-key-create logs-ingestion-key logs-svc-id' },
        {
          about: 'take it from a script',
          line: 'keygate iam service-api-key-create logs-ingestion-key logs-svc-id --output json | jq -r .apikey',
        },
        {
          about: 'write all of it into a file',
          line: 'keygate iam service-api-key-create logs-ingestion-key logs-svc-id --file ./key.json',
        },
      ],
      requiredFlags: ['name', 'service_id'],
    })
      .argument('[NAME]')
      .argument('[SERVICE_ID]'),
  );
  does<ApiKeyFlags>(command, runtime, (session) => {
    const [name, serviceId] = session.operands as [string, string];
    return createApiKey(session, name, SERVICE_ID, serviceId);
  });
}

function addApiKeyCreate(group: CliCommand, runtime: Runtime): void {
  const command = addApiKeyFlags(
    addCommand(group, {
      name: 'api-key-create',
      summary: 'Create an API key of a user',
      description: `Create an API key of a user, who is named or told by the id: nobody is logged in here. ${SHOWN_ONCE}`,
      examples: [
        {
          about: 'take it from a script',
          line: 'keygate iam api-key-create logs-ingestion --user alice --output json | jq -r .apikey',
        },
      ],
      requiredFlags: ['name', 'user'],
    }).argument('[NAME]'),
  ).option('--user <string>', 'Name or ID of the user whose key it is');
  does<ApiKeyFlags>(command, runtime, (session) =>
    createApiKey(session, session.operands[0] as string, USER, session.flags.user as string),
  );
}

const SHOWN_ONCE = 'It is shown\nonce. As JSON it has the fields of IBM, also in the file: apikey holds the key.';

function addApiKeyFlags(command: CliCommand): CliCommand {
  return command
    .option('-d, --description <string>', 'Description of the API key')
    .option('--file <string>', 'Write the API key and what belongs to it to this new file (mode 0600), as JSON');
}

async function createApiKey(
  { flags: { description, file }, printer, withKeyAdmin }: Session<ApiKeyFlags>,
  name: string,
  { title, owners }: OwnerWords,
  nameOrId: string,
): Promise<void> {
  const keyFile = file === undefined ? undefined : reserveKeyFile(file);
  const created = await withKeyAdmin(async (admin) => {
    const owner = await findOwner(owners(admin), title, nameOrId);
    const request = { name, ...(description && { description }), owner: String(owner.id) };
    return toApiKey(await admin.createIngestionKey(request), owner);
  }).catch((error: unknown) => {
    keyFile?.discard();
    throw error;
  });
  if (keyFile === undefined) return show(printer, created);
  try {
    keyFile.write(`${JSON.stringify(created, null, 2)}\n`);
  } catch (error) {
    show(printer, created); // it cannot be had again
    throw error;
  }
  const { apikey: _hidden, ...rest } = created;
  if (printer.json) printer.printJson({ ...rest, file });
  else printer.success(`Successfully save API key information to ${file}`);
}

function toApiKey(key: GeneratedIngestionKey, owner: Owner) {
  return {
    id: String(key.id),
    name: key.name,
    description: key.description ?? '',
    iam_id: String(owner.id),
    created_at: isoTime(key.lastUpdateTimestamp),
    locked: owner.state === 'locked',
    apikey: key.apiKey,
  };
}

function show(printer: Printer, created: ReturnType<typeof toApiKey>): void {
  if (printer.json) return printer.printJson(created);
  printer.success(`API key ${created.name} is created successfully`);
  printer.line("Please preserve the API key! It cannot be retrieved after it's created.");
  printer.fields([
    ['ID', created.id],
    ['Name', created.name],
    ['Description', created.description || undefined],
    ['Created At', created.created_at],
    ['API Key', created.apikey],
    ['Locked', String(created.locked)],
  ]);
}

async function findOwner(owners: OwnerAdmin, title: string, nameOrId: string): Promise<Owner> {
  if (/^[0-9]{1,19}$/.test(nameOrId)) return owners.get(nameOrId);
  const listed = await owners.list(/[*?]/.test(nameOrId) ? {} : { name: nameOrId });
  const owner = listed.find(({ name, state }) => name === nameOrId && state !== 'deleted');
  if (owner !== undefined) return owner;
  const message = `there is no ${title} named ${JSON.stringify(nameOrId)}`;
  throw new CliError(message, { exitCode: EXIT.notFound });
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
