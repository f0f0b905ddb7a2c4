import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const CONFIG = join(import.meta.dirname, '../../config');

/** A text of a folder of examples, with each of these once or more in it, and something else in their place. */
export function readExample(folder: string, file: string, instead: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(CONFIG, folder, file), 'utf8');
  for (const [from, to] of Object.entries(instead)) {
    if (!text.includes(from)) throw new Error(`config/${folder}/${file} does not say ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}
