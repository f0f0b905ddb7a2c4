import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EXIT } from './errors.ts';
import { formatHelp, pathOf } from './help.ts';
import { createProgram } from './program.ts';

/**
 * Writes docs/cli.md from the commands themselves: `node src/cli/generate-docs.ts`. With --check it only says whether the
 * page is out of date, and fails if it is.
 */

const INTRODUCTION = `# The command line

<!-- Written by node src/cli/generate-docs.ts from the commands themselves. Do not edit. -->

\`keygate\` runs the gateway and manages its keys. The commands, flags, tables and exit codes for keys are those of
StackState's \`sts\`, so scripts that manage keys there work here.

## Where keys are managed

- **With \`--url\` and \`--service-token\`** (or \`KEYGATE_URL\` and \`KEYGATE_SERVICE_TOKEN\`, or
  \`KEYGATE_SERVICE_TOKEN_FILE\`, which names a file that holds the token): through the [admin API](admin-api.md) of a
  running gateway. A flag wins over its variable. Prefer the variables: other users of a machine can see flags.
- **With a context**, which is a URL and a token that [\`keygate context save\`](#keygate-context-save) has kept: the one that \`--context\` (or
  \`KEYGATE_CONTEXT\`) names, or else the current one. \`--context none\` is none. They are in \`$XDG_CONFIG_HOME/keygate/contexts.yaml\`
  (\`~/.config/keygate/contexts.yaml\`, or the file that \`KEYGATE_CONTEXTS\` names) in the form of StackState's CLI, with mode 0600, and are not shown.
- **With none of these**: straight to the key store of the configuration (\`--config\`, \`KEYGATE_CONFIG\`, or the defaults). A
  running gateway hears of the change at once. This is how the first service token is made:
  \`keygate service-token create --name ops --roles admin\`.
- A URL without a token is refused, as is a token without a URL, and either beside the name of a context: no token is ever sent to a
  gateway that it was not given for, and a forgotten variable never sends a change to the wrong place.

## What is printed

- Keys and tokens are shown once, when they are created; [some keys](reveal.md) can be shown again. \`--file\` writes them to a new file (mode 0600, never one that is
  there already, no newline at the end) instead of showing them.
- \`-o json\` prints JSON for scripts: \`keygate ingestion-api-key list -o json | jq\`. Times are milliseconds since 1970.
- Dates are in UTC. \`--expiration 2030-12-31\` means that the key is dead from 2030-12-31 00:00 UTC on, so on that day it
  no longer works.
- Colours appear on terminals only. \`NO_COLOR\`, \`--no-color\` and \`TERM=dumb\` also replace ✅ and ❌ by [SUCCESS] and
  [ERROR]. Only on a terminal are long table cells wrapped.
- Errors go to standard error: as text, or with \`-o json\` as \`{"error": true, "error-message": "..."}\`. After a mistake in
  the command line, the usage of the command goes to standard output.
`;

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'Done.',
  refused: 'The command line or the configuration is faulty, or the request was refused.',
  connect: 'The admin API or the key store cannot be reached, or the service token is not accepted.',
  readFile: 'A file that was named, or that of the contexts, cannot be read.',
  writeFile:
    'The file of `--file`, or that of the contexts, cannot be written. If the key had been created already, it is shown after all.',
  notFound: 'There is no key or token with this id, or no context with this name.',
  unconfirmed: 'The change was made, but with `--wait` not every gateway has confirmed it in time.',
  execution: 'Something that was not foreseen.',
};

export function renderCliPage(): string {
  const nowhere = { write: () => true };
  const program = createProgram({ stdout: nowhere, stderr: nowhere, env: {} }, () => {});
  const codes = Object.entries(EXIT).map(([name, code]) => `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`);
  return [
    INTRODUCTION,
    `## Exit codes\n\n| code | meaning |\n|---|---|\n${codes.join('\n')}\n`,
    '`serve`, `check-config` and `health` end with 1 when the gateway cannot start, the configuration is faulty, or the\ngateway is not alive.\n',
    ...sectionsOf(program),
  ].join('\n');
}

function sectionsOf(command: Command): string[] {
  const help = formatHelp(command, command.createHelp());
  const section = `## ${pathOf(command)}\n\n\`\`\`\n${help.trimEnd()}\n\`\`\`\n`;
  return [section, ...command.commands.flatMap(sectionsOf)];
}

export const CLI_PAGE = join(import.meta.dirname, '../../docs/cli.md');

function main(check: boolean): void {
  const text = renderCliPage();
  if (!check) return writeFileSync(CLI_PAGE, text);
  if (readFileSync(CLI_PAGE, 'utf8') === text) return;
  process.stderr.write('docs/cli.md is out of date: run node src/cli/generate-docs.ts\n');
  process.exitCode = 1;
}

if (import.meta.main) main(process.argv.includes('--check'));
