import { mkdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** As editors replace a file: another one takes its name. */
export async function placeByRename(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

let version = 0;

/**
 * As the kubelet fills the mount of a ConfigMap or a Secret, and changes it: the files are in a folder of their own, the link
 * `..data` leads there, and the names lead through it. One rename of that link changes all files at once.
 */
export async function placeAll(mount: string, texts: Readonly<Record<string, string>>): Promise<void> {
  const link = join(mount, '..data');
  const before = await readlink(link).catch(() => undefined);
  const folder = `..2030_01_01_00_00_00.${(version += 1)}`;
  await mkdir(join(mount, folder), { recursive: true });
  for (const [name, text] of Object.entries(texts)) await writeFile(join(mount, folder, name), text);
  await symlink(folder, `${link}_tmp`);
  await rename(`${link}_tmp`, link);
  if (before === undefined)
    for (const name of Object.keys(texts)) await symlink(join('..data', name), join(mount, name));
  else await rm(join(mount, before), { recursive: true });
}

/** One file in a mount. */
export const placeInMount = (path: string, text: string): Promise<void> =>
  placeAll(dirname(path), { [basename(path)]: text });
