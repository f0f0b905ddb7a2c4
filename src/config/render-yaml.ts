import { stringify } from 'yaml';
import type { Option, SectionOption } from './describe.ts';
import { fileVariableOf, variableOf } from './environment.ts';

const HEAD = `\
# yaml-language-server: $schema=./keygate.schema.json

# Keygate: every option, with its default. Leave out what you do not change; only upstream has to be set.
# Above each option stand what it is for, what is allowed, and the environment variable that overrides it.
# docs/config.md explains the rest; \`keygate check-config --config <file>\` names everything that is wrong with a file.
#
# Generated from src/config/schema.ts by \`node src/config/generate.ts\`.
`;

/** The annotated configuration: as a file it says what no file at all would say. */
export function renderYaml(root: SectionOption): string {
  const sections = root.children.map((section) => renderOption(section, '').join('\n'));
  return `${[HEAD.trimEnd(), ...sections].join('\n\n')}\n`;
}

function renderOption(option: Option, indent: string): string[] {
  const key = option.path.at(-1) ?? '';
  const comment = commentOf(option, indent);
  switch (option.kind) {
    case 'section':
      return [...comment, `${indent}${key}:`, ...renderChildren(option, `${indent}  `)];
    case 'group':
      return [
        ...comment,
        `${indent}${key}: null`,
        ...commentedOut([`${key}:`, ...renderExamples(option, '  ')], indent),
      ];
    case 'list': {
      const own = [...comment, `${indent}${key}: ${toYaml(option.defaultValue)}`];
      if (option.item.kind !== 'section') return own;
      return [...own, ...commentedOut([`${key}:`, ...asItem(renderExamples(option.item, '    '))], indent)];
    }
    case 'text':
    case 'number':
    case 'flag':
      return [...comment, `${indent}${key}: ${toYaml(option.defaultValue)}`];
  }
}

function renderChildren(option: SectionOption, indent: string): string[] {
  return option.children.flatMap((child, index) => {
    const lines = renderOption(child, indent);
    return index === 0 ? lines : ['', ...lines];
  });
}

/** The options of a group or of a list's items, with values that show what they look like. */
function renderExamples(option: SectionOption, indent: string): string[] {
  return option.children.flatMap((child) => [
    ...commentOf(child, indent),
    `${indent}${child.path.at(-1)}: ${toYaml(child.example ?? child.defaultValue)}`,
  ]);
}

/** Makes the lines of an object the lines of a list's item: a hyphen goes before its first key. */
function asItem(lines: readonly string[]): string[] {
  const first = lines.findIndex((line) => !line.trimStart().startsWith('#'));
  return lines.map((line, index) => (index === first ? line.replace(/^( *) {2}/, '$1- ') : line));
}

function commentedOut(lines: readonly string[], indent: string): string[] {
  return lines.map((line) => `${indent}# ${line}`);
}

function commentOf(option: Option, indent: string): string[] {
  const lines = wrap(option.description, 110 - indent.length);
  if (option.kind !== 'section') lines.push(...wrap(factsOf(option), 110 - indent.length));
  return lines.map((line) => `${indent}# ${line}`);
}

function factsOf(option: Option): string {
  const required = option.defaultValue === undefined ? ' (required)' : '';
  const allowed =
    option.kind === 'group' ? 'null, or the options below' : capitalised(option.allowed.replaceAll('`', ''));
  const isAddressable = !option.path.includes('[]');
  return `${allowed}${required}.${isAddressable ? ` ${variablesOf(option).join(', ')}` : ''}`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The names of an option in the environment. */
export function variablesOf(option: Option): readonly string[] {
  return [variableOf(option), fileVariableOf(option)].filter((name) => name !== undefined);
}

export function toYaml(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim();
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
