import type { CliCommand } from './cli-command.ts';
import { addCommand, invalidArgument } from './command.ts';
import { EXIT } from './errors.ts';
import { does } from './session.ts';
import type { Runtime } from './session.ts';
import type { ImportFormat } from './import-formats.ts';

/** keygate keys import | export */
export function addKeys(program: CliCommand, runtime: Runtime): void {
  const group = addCommand(program, {
    name: 'keys',
    summary: 'Carry keys from one store to another',
    description: 'Carry ingestion API keys and service tokens from one store to another, by their digests.',
  });
  addImport(group, runtime);
  addExport(group, runtime);
}

interface ImportFlags {
  readonly file?: string;
  readonly format: string;
  readonly dryRun?: boolean;
}

const FORMATS = ['keygate-keys', 'text', 'groundcover'] as const satisfies readonly ImportFormat[];

function addImport(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'import',
    summary: 'Import keys',
    description:
      'Import the keys of an export, or keys of another system, whose texts are hashed here and never leave this process.\n' +
      'What is there already with the same id and digest is left alone, so an import can be repeated. Each line that is\n' +
      'refused is named on standard error; the exit code is 0 if none was.',
    examples: [
      { about: 'see what would become of it', line: 'keygate keys import --file ./keys.jsonl --dry-run' },
      { about: 'import it', line: 'keygate keys import --file ./keys.jsonl' },
      {
        about: 'import keys of another system, one a line, as key-1, key-2 and so on',
        line: 'keygate keys import --format text --file ./old-keys.txt',
      },
    ],
  })
    .option('--file <string>', 'Read this file instead of standard input')
    .option('--format <string>', `What the file is (must be { ${FORMATS.join(' | ')} })`, FORMATS[0])
    .option('--dry-run', 'Say what would become of each line, and change nothing');

  does<ImportFlags>(command, runtime, async ({ flags, terminal, say, printer, withKeyAdmin }) => {
    const { file, dryRun = false } = flags;
    const format = FORMATS.find((each) => each === flags.format);
    if (format === undefined) throw invalidArgument(flags.format, '--format', `must be { ${FORMATS.join(' | ')} }`);
    const { importKeys } = await import('./import-keys.ts');
    const { fault, ...counts } = await withKeyAdmin((admin) =>
      importKeys(admin, { file, format, dryRun, terminal, say }),
    );
    const { imported, unchanged, refused } = counts;
    if (printer.json) printer.printJson({ import: { ...counts, dryRun } });
    else {
      const told = `${dryRun ? 'would be imported' : 'imported'}: ${imported}, unchanged: ${unchanged}, refused: ${refused}`;
      if (refused === 0 && fault === undefined) printer.success(`Keys ${told}`);
      else printer.line(`Keys ${told}`);
    }
    if (fault !== undefined) throw fault;
    return refused === 0 ? EXIT.ok : EXIT.refused;
  });
}

interface ExportFlags {
  readonly file?: string;
  readonly all?: boolean;
}

function addExport(group: CliCommand, runtime: Runtime): void {
  const command = addCommand(group, {
    name: 'export',
    summary: 'Export keys',
    description:
      'Export keys and service tokens as JSON lines with their digests: never their texts, which nobody knows. Whoever has\n' +
      'the file can use no key, but sees which there are and what they may do.',
    examples: [
      { about: 'export into a new file', line: 'keygate keys export --file ./keys.jsonl' },
      {
        about: 'carry all keys from a running gateway into the store of this machine',
        line: 'KEYGATE_SERVICE_TOKEN_FILE=./old.token keygate keys export --url https://old.example.com | keygate keys import',
      },
    ],
  })
    .option('--file <string>', 'Write to this new file (mode 0600) instead of standard output')
    .option('-a, --all', 'Export those that were deleted, expired or replaced as well');

  does<ExportFlags>(command, runtime, async ({ flags: { file, all = false }, terminal, printer, withKeyAdmin }) => {
    const { exportKeys } = await import('./export-keys.ts');
    const count = await withKeyAdmin((admin) => exportKeys(admin, { file, all, terminal }));
    if (file === undefined) return; // standard output is the export
    if (printer.json) printer.printJson({ export: { keys: count, file } });
    else printer.success(`Keys exported: ${count}, written to ${file}`);
  });
}
