import type { ReadFile } from '../../src/config/yaml-file.ts';

/** Reads from these texts as from a file system that holds nothing else. */
export function filesOf(texts: Readonly<Record<string, string>>): ReadFile {
  return (path) => {
    const text = texts[path];
    if (text !== undefined) return text;
    throw Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' });
  };
}
