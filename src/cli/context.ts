import { resolve } from 'node:path';
import type { ServerInfo } from '../admin/schemas.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand, invalidArgument } from './command.ts';
import { readConnection } from './connection.ts';
import { findContext, NO_CONTEXT, readContexts, writeContexts } from './contexts.ts';
import type { Context, Contexts } from './contexts.ts';
import { CliError, EXIT, UsageError } from './errors.ts';
import { openConnection } from './open-key-admin.ts';
import { does } from './session.ts';
import type { Runtime, Session } from './session.ts';

const NAME = '-n, --name';

interface NameFlags {
  readonly name?: string;
}

interface SaveFlags extends NameFlags {
  readonly skipValidate?: boolean;
}

/** keygate context save | list | show | set | validate | delete */
export function addContext(program: CliCommand, runtime: Runtime): void {
  const group = addCommand(program, {
    name: 'context',
    summary: 'Manage the gateways that commands talk to',
    description:
      'Keep the URLs of admin APIs, each with a service token, and say which of them commands talk to. They are kept in\n' +
      '$XDG_CONFIG_HOME/keygate/contexts.yaml (~/.config, or the file that KEYGATE_CONTEXTS names), readable by you only.',
  });
  addSave(group, runtime);
  addList(group, runtime);
  addShow(group, runtime);
  addSet(group, runtime);
  addValidate(group, runtime);
  addDelete(group, runtime);
}

function addSave(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'save',
    summary: 'Save a context, and use it from now on',
    description:
      'Save the URL of an admin API and a service token for it, and use them from now on. Nothing is saved if the gateway\n' +
      'cannot be reached or does not accept the token. --ca-cert-path and --skip-ssl are saved with them.',
    examples: [
      {
        about: 'save a gateway, with a token that is in no list of processes and no history',
        line: 'KEYGATE_SERVICE_TOKEN_FILE=./ops.token keygate context save --name production --url https://keygate.example.com',
      },
    ],
  })
    .option(`${NAME} <string>`, 'Name of the context', 'default')
    .option('--skip-validate', 'Save it without trying it out');

  does<SaveFlags>(command, runtime, async (session) => {
    const { flags, env, printer } = session;
    const { name = 'default', skipValidate } = flags;
    if (!/^[A-Za-z0-9_.-]{1,64}$/.test(name) || name === NO_CONTEXT) {
      const why = `it must be 1 to 64 letters, digits, ".", "_" or "-", and not ${NO_CONTEXT}`;
      throw invalidArgument(name, NAME, why);
    }
    const { url, token, skipSsl, caCertPath } = readConnection(flags, env);
    const context: Context = {
      url,
      'service-token': token,
      ...(skipSsl && { 'skip-ssl': true }),
      ...(caCertPath !== undefined && { 'ca-cert-path': resolve(caCertPath) }),
    };
    await verify(session, context, skipValidate === true);
    const { contexts } = readContexts(env);
    const others = contexts.filter((each) => each.name !== name);
    writeContexts(env, { contexts: [...others, { name, context }], current: name });
    if (printer.json) printer.printJson({ 'current-context': name, context: shown(context) });
    else printer.success(`Saved context: '${name}'`);
  });
}

/** Its token, and where it leads, tried out unless that is not wanted. */
async function verify(
  session: Session<unknown>,
  context: Context,
  isUnwanted = false,
): Promise<ServerInfo | undefined> {
  const { flags, env, printer } = session;
  const connection = {
    url: context.url,
    token: context['service-token'],
    skipSsl: context['skip-ssl'] ?? false,
    caCertPath: context['ca-cert-path'],
  };
  const admin = await openConnection(connection, flags, env);
  if (isUnwanted) return undefined;
  const info = await admin.serverInfo();
  if (!printer.json)
    printer.success(`Connection verified to ${context.url} (Keygate version: ${info.platformVersion})`);
  return info;
}

function addList(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'list',
    summary: 'List contexts',
    description: 'List all contexts, and which of them is used. Tokens are not shown.',
    examples: [{ about: 'list all contexts', line: 'keygate context list' }],
  });
  does(command, runtime, ({ env, printer }) => {
    const { contexts, current } = readContexts(env);
    if (printer.json) {
      const all = contexts.map(({ name, context }) => ({ name, context: shown(context) }));
      return printer.printJson({ contexts: all, 'current-context': current });
    }
    const rows = contexts.map(({ name, context }) => [name, context.url, name === current ? '*' : '']);
    printer.table({ header: ['name', 'url', 'current'], rows, wraps: [] }, 'No contexts found.');
  });
}

function addShow(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'show',
    summary: 'Show the name of the context that is used',
    description: 'Show the name of the context that commands use unless they are told otherwise.',
    examples: [{ about: 'which gateway is it?', line: 'keygate context show' }],
  });
  does(command, runtime, ({ env, printer }) => {
    const { name, context } = currentOf(readContexts(env));
    if (printer.json) printer.printJson({ name, 'current-context': shown(context) });
    else printer.line(name);
  });
}

function addSet(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'set',
    summary: 'Use a context from now on',
    description: `Use a context from now on, or with ${NO_CONTEXT} the key store of this machine.`,
    examples: [
      { about: 'switch to another gateway', line: 'keygate context set --name production' },
      { about: 'go back to the key store of this machine', line: `keygate context set ${NO_CONTEXT}` },
    ],
    requiredFlags: ['name'],
  })
    .argument('[NAME]')
    .option(`${NAME} <string>`, 'Name of the context');
  does<NameFlags>(command, runtime, ({ flags, operands, env, printer }) => {
    const name = oneName(command, flags, operands) ?? NO_CONTEXT;
    const known = readContexts(env);
    if (name !== NO_CONTEXT) findContext(known, name);
    writeContexts(env, { ...known, current: name === NO_CONTEXT ? undefined : name });
    if (printer.json) printer.printJson({ 'current-context': name });
    else printer.line(`Current context set to ${name}`);
  });
}

function addValidate(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'validate',
    summary: 'Try a context out',
    description: 'See whether the gateway of a context can be reached and accepts its token.',
    examples: [{ about: 'try out the context that is used', line: 'keygate context validate' }],
  })
    .argument('[NAME]')
    .option(`${NAME} <string>`, 'Name of the context; the one that is used if it is not given');
  does<NameFlags>(command, runtime, async (session) => {
    const { flags, operands, env, printer } = session;
    const known = readContexts(env);
    const name = oneName(command, flags, operands) ?? currentOf(known).name;
    const info = await verify(session, findContext(known, name));
    if (printer.json) printer.printJson({ context: name, connected: true, 'server-info': info });
    else printer.success(`Context ${name} is valid.`);
  });
}

function addDelete(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'delete',
    summary: 'Delete a context',
    description:
      'Delete a context that is not used. The service token itself goes on working: delete that at the gateway.',
    examples: [{ about: 'forget a gateway', line: 'keygate context delete --name staging' }],
    requiredFlags: ['name'],
  })
    .argument('[NAME]')
    .option(`${NAME} <string>`, 'Name of the context');
  does<NameFlags>(command, runtime, ({ flags, operands, env, printer }) => {
    const name = oneName(command, flags, operands) ?? '';
    const known = readContexts(env);
    if (name === known.current) {
      throw new UsageError(`cannot delete the current context (${name})`, { duringParse: false, command });
    }
    findContext(known, name);
    writeContexts(env, { ...known, contexts: known.contexts.filter((each) => each.name !== name) });
    if (printer.json) printer.printJson({ 'deleted-context': name });
    else printer.success(`Deleted context '${name}'`);
  });
}

/** As a flag or as an operand, and not both in different words. */
function oneName(command: CliCommand, { name }: NameFlags, [operand]: readonly string[]): string | undefined {
  if (name === undefined || operand === undefined || name === operand) return name ?? operand;
  throw new UsageError('the name is given twice: as an operand and as --name', { duringParse: false, command });
}

function currentOf(known: Contexts): { readonly name: string; readonly context: Context } {
  const { current } = known;
  if (current !== undefined) return { name: current, context: findContext(known, current) };
  const message = 'no context is used: the key store of this machine is, unless --context or --url say otherwise';
  throw new CliError(message, { exitCode: EXIT.notFound });
}

/** Never with its token. */
function shown({ 'service-token': _token, ...context }: Context): Omit<Context, 'service-token'> {
  return context;
}
