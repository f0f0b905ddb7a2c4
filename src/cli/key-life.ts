import type { Propagation } from '../admin/propagation.ts';
import { ago } from '../keys/in-use.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { createAndShow } from './create-key.ts';
import type { CreateFlags } from './create-key.ts';
import { UsageError } from './errors.ts';
import type { KeyAdmin, KeyLife } from './key-admin.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { addWaitFlag, confirmPropagation, readWait, tellPropagation } from './wait-flag.ts';
import type { WaitFlags } from './wait-flag.ts';
import { formatBytes, formatTime, onlyId, parseDuration, parseExpiration } from './values.ts';

/** What the commands need to know of keys of any kind. */
export interface Details {
  readonly id: number;
  readonly name: string;
  readonly state: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly expiration?: number | undefined;
  readonly replacedBy?: number | undefined;
  readonly retireAt?: number | undefined;
  readonly revokedAt?: number | undefined;
  readonly revokedBy?: string | undefined;
  readonly propagation?: Propagation | undefined;
  readonly lastUsed?: number | undefined;
  readonly requests?: number | undefined;
  readonly bytes?: number | undefined;
  readonly sources?: readonly { readonly address: string }[] | undefined;
}

interface Rotated {
  readonly predecessor: Details;
}

/** One kind of key, in the words of its commands. */
export interface LifeKind<D extends Details, R extends Rotated> {
  /** "ingestion-api-key" */
  readonly group: string;
  /** "Ingestion Api Key" */
  readonly title: string;
  /** "an Ingestion Api Key" */
  readonly one: string;
  /** "the key" */
  readonly short: string;
  readonly life: (admin: KeyAdmin) => KeyLife<D, R>;
  /** The field of a rotated one that holds its text. */
  readonly secret: keyof R & string;
  /** What `describe` tells of this kind only; absent values are left out. */
  readonly describe: (details: D) => readonly (readonly [label: string, value: string | undefined])[];
}

interface IdFlags {
  readonly id?: string;
}

const EXAMPLE_ID = '250558013078953';

/** describe, disable, enable and rotate, below a group of commands. */
export function addKeyLife<D extends Details, R extends Rotated>(
  parent: CliCommand,
  runtime: Runtime,
  kind: LifeKind<D, R>,
): void {
  addDescribe(parent, runtime, kind);
  addSetting(parent, runtime, kind, 'disable');
  addSetting(parent, runtime, kind, 'enable');
  addRotate(parent, runtime, kind);
}

function addDescribe<D extends Details, R extends Rotated>(
  parent: CliCommand,
  runtime: Runtime,
  { group, title, one, life, describe }: LifeKind<D, R>,
): void {
  const command = addCommand(parent, {
    name: 'describe',
    summary: `Show all about ${one}`,
    description: `Show all about ${one}, also when it was deleted or replaced not long ago.`,
    examples: [{ about: 'show one by the id that the list shows', line: `keygate ${group} describe ${EXAMPLE_ID}` }],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', `ID of the ${title} to show`);

  does<IdFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const id = onlyId(command, flags, operands);
    const details = await withKeyAdmin((admin) => life(admin).get(id));
    if (printer.json) return printer.printJson({ [group]: details });
    const time = (epochMs: number | undefined) => (epochMs === undefined ? undefined : formatTime(epochMs));
    const by = details.revokedBy === undefined ? '' : ` by ${details.revokedBy}`;
    printer.fields([
      ['ID', String(details.id)],
      ['Name', details.name],
      ['State', details.state],
      ...describe(details),
      ['Created', `${formatTime(details.createdAt)} by ${details.createdBy}`],
      ['Expiration', time(details.expiration) ?? 'never'],
      ['Replaced by', details.replacedBy?.toString()],
      ['Retires', time(details.retireAt)],
      ...useOf(details, Date.now()),
      ['Deleted', details.revokedAt === undefined ? undefined : `${formatTime(details.revokedAt)}${by}`],
    ]);
  });
}

/** In words, as far as the gateways have told. */
function useOf({ lastUsed, requests = 0, bytes = 0, sources = [] }: Details, nowMs: number) {
  if (lastUsed === undefined) return [['Last used', 'never']] as const;
  const addresses = sources.map(({ address }) => address).join(', ');
  return [
    ['Last used', `${formatTime(lastUsed)}, ${ago(nowMs - lastUsed)}`],
    ['Requests', `${requests.toLocaleString('en')}, ${formatBytes(bytes)}`],
    ['Sources', sources.length === 0 ? 'none in the last hour' : `${sources.length} in the last hour: ${addresses}`],
  ] as const;
}

function addSetting<D extends Details, R extends Rotated>(
  parent: CliCommand,
  runtime: Runtime,
  { group, title, one, short, life }: LifeKind<D, R>,
  verb: 'disable' | 'enable',
): void {
  const effect = {
    disable: `Whoever uses it is refused from then on, until it is enabled; ${short} keeps its name.`,
    enable: `Take ${short} again after it was disabled.`,
  }[verb];
  const command = addCommand(parent, {
    name: verb,
    summary: `${verb === 'disable' ? 'Disable' : 'Enable'} ${one}`,
    description: effect,
    examples: [{ about: `${verb} one by the id that the list shows`, line: `keygate ${group} ${verb} ${EXAMPLE_ID}` }],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', `ID of the ${title} to ${verb}`);
  addWaitFlag(command);

  does<IdFlags & WaitFlags>(command, runtime, async ({ flags, operands, printer, withKeyAdmin }) => {
    const id = onlyId(command, flags, operands);
    const wait = readWait(command, flags);
    const details = await withKeyAdmin((admin) => life(admin)[verb](id, wait));
    if (printer.json) printer.printJson({ [group]: details });
    else printer.success(`${title} ${verb}d: ${id}`);
    tellPropagation(printer, details.propagation);
    confirmPropagation(details.propagation, wait);
  });
}

interface RotateFlags extends CreateFlags, IdFlags, WaitFlags {
  readonly grace?: string;
  readonly now?: boolean;
  readonly expiration?: string;
}

function addRotate<D extends Details, R extends Rotated>(
  parent: CliCommand,
  runtime: Runtime,
  { group, title, one, short, life, secret }: LifeKind<D, R>,
): void {
  const command = addCommand(parent, {
    name: 'rotate',
    summary: `Replace ${one} by a new one with the same settings`,
    description:
      `Make a new one with the same name and settings, and show it once. The old one goes on working for a while, but\n` +
      `not past its own expiration, so that nobody is refused while ${short} is changed where it is used.`,
    examples: [
      { about: 'replace one; both work for a day', line: `keygate ${group} rotate --id ${EXAMPLE_ID}` },
      {
        about: 'both work for a week; keep the new one out of the terminal',
        line: `keygate ${group} rotate --id ${EXAMPLE_ID} --grace 7d --file ./new.key`,
      },
      { about: 'the old one leaked: refuse it from now on', line: `keygate ${group} rotate --id ${EXAMPLE_ID} --now` },
    ],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', `ID of the ${title} to replace`)
    .option('--grace <duration>', 'How long the old one goes on working, such as 30m, 24h or 7d (default 24h)')
    .option('--now', 'Refuse the old one from now on')
    .option('--expiration <time>', 'Expiration date of the new one, which does not take over that of the old one')
    .option('--file <string>', 'Write the new one to this new file (mode 0600) instead of showing it');
  addWaitFlag(command);

  does<RotateFlags>(command, runtime, (session) => {
    const { flags, operands } = session;
    const id = onlyId(command, flags, operands);
    if (flags.now === true && flags.grace !== undefined) {
      throw new UsageError('--now and --grace exclude each other', { duringParse: true, command });
    }
    const grace = flags.grace === undefined ? undefined : parseDuration(flags.grace, '--grace');
    const gracePeriod = flags.now === true ? 0 : grace;
    const wait = readWait(command, flags);
    const rotation = {
      ...(gracePeriod !== undefined && { gracePeriod }),
      ...(flags.expiration !== undefined && { expiration: parseExpiration(flags.expiration) }),
    };
    return createAndShow(session, {
      create: (admin) => life(admin).rotate(id, rotation, wait),
      secret,
      message: `${title} rotated`,
      jsonKey: group,
      remark: ({ predecessor: { retireAt } }) =>
        retireAt === undefined
          ? `The old one (${id}) is refused from now on.`
          : `The old one (${id}) works until ${formatTime(retireAt)}.`,
      afterwards({ predecessor: { propagation } }) {
        tellPropagation(session.printer, propagation);
        confirmPropagation(propagation, wait);
      },
    });
  });
}
