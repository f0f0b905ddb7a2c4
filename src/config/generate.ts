import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeSchema } from './describe.ts';
import { renderEditorSchema } from './render-editor-schema.ts';
import { renderPage } from './render-page.ts';
import { renderYaml } from './render-yaml.ts';
import { configSchema } from './schema.ts';

/**
 * Writes what derives from the schema: `node src/config/generate.ts`. With --check it only says what is out of date,
 * and fails if anything is.
 */

export interface GeneratedFile {
  /** Relative to the project. */
  readonly path: string;
  readonly text: string;
}

export function generateFiles(): readonly GeneratedFile[] {
  const root = describeSchema(configSchema);
  return [
    { path: 'config/keygate.yaml', text: renderYaml(root) },
    { path: 'config/keygate.schema.json', text: renderEditorSchema(configSchema) },
    { path: 'docs/config.md', text: renderPage(root) },
  ];
}

const PROJECT = join(import.meta.dirname, '../..');

/** The generated files that are not there, or are not what the schema makes of them now. */
export function outdatedFiles(project: string = PROJECT): readonly GeneratedFile[] {
  return generateFiles().filter(({ path, text }) => readIfThere(join(project, path)) !== text);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function main(check: boolean): void {
  for (const { path, text } of outdatedFiles()) {
    if (check) {
      process.stderr.write(`${path} is out of date: run node src/config/generate.ts\n`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(join(PROJECT, path)), { recursive: true });
      writeFileSync(join(PROJECT, path), text);
      process.stdout.write(`${path} written\n`);
    }
  }
}

if (import.meta.main) main(process.argv.includes('--check'));
