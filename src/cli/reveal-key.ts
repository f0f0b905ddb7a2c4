import type { CliCommand } from './cli-command.ts';
import { addCommand } from './command.ts';
import { createAndShow } from './create-key.ts';
import type { CreateFlags } from './create-key.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import { onlyId } from './values.ts';

interface RevealFlags extends CreateFlags {
  readonly id?: string;
}

/** keygate ingestion-api-key reveal */
export function addReveal(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'reveal',
    summary: 'Show an Ingestion Api Key again',
    description:
      'Show a key again, if keys of its type were declared revealable (keys.revealable) when it was made. It is written to\n' +
      'the audit log first. Keys that were made before, or of another type, cannot be shown: rotate them instead.',
    examples: [
      { about: 'see a key by the id that the list shows', line: 'keygate ingestion-api-key reveal 250558013078953' },
      {
        about: 'keep the key out of the terminal',
        line: 'keygate ingestion-api-key reveal --id 250558013078953 --file ./ci.key',
      },
    ],
    requiredFlags: ['id'],
  })
    .argument('[ID]')
    .option('-i, --id <int>', 'ID of the Ingestion Api Key to show')
    .option('--file <string>', 'Write the key to this new file (mode 0600) instead of showing it');

  does<RevealFlags>(command, runtime, (session) => {
    const id = onlyId(command, session.flags, session.operands);
    return createAndShow(session, {
      create: (admin) => admin.revealIngestionKey(id),
      secret: 'apiKey',
      message: 'Ingestion API Key revealed',
      jsonKey: 'ingestion-api-key',
      canBeHadAgain: true,
    });
  });
}
