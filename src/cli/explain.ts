import { isIP } from 'node:net';
import type { ShownAnswer } from '../admin/explain.ts';
import { MAX_KEY_BYTES } from '../credential/read.ts';
import { SIGNALS } from '../keys/record.ts';
import { ALL_ROUTES } from '../verdict/decide.ts';
import type { CliCommand } from './cli-command.ts';
import { addCommand, invalidArgument } from './command.ts';
import { UsageError } from './errors.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import type { AskedText } from './asked-text.ts';
import type { Printer } from './printer.ts';
import { printable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { formatTime } from './values.ts';

interface ExplainFlags {
  readonly signal?: string;
  readonly route?: string;
  readonly address?: string;
  readonly origin?: string;
}

/** keygate explain KEY_OR_ID */
export function addExplain(program: CliCommand, runtime: Runtime): void {
  const command = addCommand(program, {
    name: 'explain',
    summary: 'See what each gateway would say to a key, and why',
    description:
      'See what each gateway would say to a key: which level answers (configuration, memory that is fresh, aged or knows\n' +
      'that there is no such key, or the store), how old that is, and what a sender would hear. A key is hashed here and\n' +
      'never sent; write - to have it read from standard input instead of being seen in the list of processes. Of a token\n' +
      'that a key was exchanged for, it says which key that is and until when the token stands for it.',
    examples: [
      { about: 'a sender is refused: why?', line: 'keygate explain - < ./sender.key' },
      { about: 'by the id that the list shows', line: 'keygate explain 250558013078953' },
      {
        about: 'for what it is used for',
        line: 'keygate explain 250558013078953 --signal logs --route otlp-http --address 10.1.2.3',
      },
    ],
  })
    .argument('<KEY_OR_ID>')
    .option('--signal <string>', `What is sent (${SIGNALS.join(' | ')})`)
    .option('--route <string>', `The way it is sent (${ALL_ROUTES.join(' | ')})`)
    .option('--address <string>', 'The address it is sent from')
    .option('--origin <string>', 'The web origin of the page that sends it');

  does<ExplainFlags>(command, runtime, async ({ flags, operands, terminal, printer, say, withKeyAdmin }) => {
    const use = {
      ...(flags.signal !== undefined && { signal: oneOf(SIGNALS, flags.signal, '--signal') }),
      ...(flags.route !== undefined && { route: oneOf(ALL_ROUTES, flags.route, '--route') }),
      ...(flags.address !== undefined && { address: anAddress(flags.address) }),
      ...(flags.origin !== undefined && { origin: flags.origin }),
    };
    const [operand = ''] = operands;
    const text = operand === '-' ? await readKey(terminal) : operand;
    if (text === '') throw new UsageError('no key was given', { duringParse: true, command });
    // What is piped in is a key, be it made of digits: as an id it would be sent as it is.
    const isId = operand !== '-' && /^[0-9]{1,19}$/.test(text);
    const { answerToText, askAbout } = await import('./asked-text.ts');
    const refused = isId ? undefined : answerToText(text);
    if (refused !== undefined) return printRefused(printer, refused);
    await withKeyAdmin(async (admin) => {
      const asked = isId ? { request: { id: Number(text) } } : askAbout(text, admin);
      if ('refused' in asked) return printRefused(printer, asked.refused);
      const { request, token }: AskedText = asked;
      if (token?.isVerified === false) say(UNVERIFIED);
      const { store, replicas } = await admin.explain({ ...use, ...request });
      if (printer.json) return printer.printJson({ explanation: { ...(token && { token }), store, replicas } });
      const rows = [
        ...replicas.map(({ name, answer }) => toRow(name, answer)),
        ...(replicas.length === 0 ? [toRow('(no gateway is live)', store)] : []),
      ];
      const header = ['gateway', 'level', 'age', 'revision', 'verdict', 'http', 'grpc'];
      printer.table({ header, rows, wraps: ['gateway', 'verdict'] }, 'No gateway is live.');
      // Where there are gateways, it is they who are asked: the store knows nothing of configured keys.
      const answers = replicas.length === 0 ? [store] : replicas.flatMap(({ answer }) => answer ?? []);
      // A gateway that does not take the token does not say whose it is.
      const keys = (token === undefined ? answers : [...answers, store]).flatMap(keyOf);
      const ends = token === undefined ? [] : [`The token stands for its key until ${formatTime(token.endsAtMs)}.`];
      for (const line of new Set([...keys, ...ends, ...answers.flatMap(refusalOf)])) printer.line(line);
      const { digests } = request;
      if (
        answers.some(({ reason }) => reason === 'unknown_key') &&
        token === undefined &&
        digests?.every(isUnpeppered)
      ) {
        say('No pepper is configured here: if the gateways have one, give --config with theirs.');
      }
    });
  });
}

const UNVERIFIED =
  'The secret of this token (keys.tokens) is not configured here, so nobody has verified it, and its key is looked for by the id\n' +
  'that it says: to be sure, give --config with that of the gateways.';

function printRefused(printer: Printer, refused: ShownAnswer): void {
  if (printer.json) printer.printJson({ explanation: { key: refused, replicas: [] } });
  else printer.line(`Every gateway refuses it without asking anybody: ${wordsOf(refused)}`);
}

function keyOf({ keyName, keyId }: ShownAnswer): string[] {
  return keyId === undefined ? [] : [printable(`The key is ${keyName} (${keyId}).`)];
}

function refusalOf(answer: ShownAnswer): string[] {
  return answer.reason === undefined ? [] : [wordsOf(answer)];
}

/** A key that is piped in. Of a file that cannot be one, no more is read than shows that. */
async function readKey({ stdin }: Terminal): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stdin ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > 2 * MAX_KEY_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8').trim();
}

function isUnpeppered(digest: string): boolean {
  return digest.startsWith('sha256:');
}

function toRow(name: string, answer: ShownAnswer | undefined): string[] {
  if (answer === undefined) return [name, 'no answer', '-', '-', '-', '-', '-'];
  const { level, ageMs, revision, verdict, reason, httpStatus, grpcCode } = answer;
  return [
    name,
    level,
    ageMs === undefined ? '-' : `${(ageMs / 1_000).toFixed(1)} s`,
    revision?.toString() ?? '-',
    reason === undefined ? verdict : `${verdict}: ${reason}`,
    httpStatus?.toString() ?? '-',
    grpcCode?.toString() ?? '-',
  ];
}

function wordsOf({ reason, message }: ShownAnswer): string {
  return `${reason}: ${message}`;
}

function anAddress(text: string): string {
  if (isIP(text) !== 0) return text;
  throw invalidArgument(text, '--address', 'must be an IP address');
}

function oneOf<T extends string>(allowed: readonly T[], text: string, flag: string): T {
  const found = allowed.find((each) => each === text);
  if (found === undefined) throw invalidArgument(text, flag, `must be one of ${allowed.join(', ')}`);
  return found;
}
