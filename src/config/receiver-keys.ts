import { checkKeyText } from '../credential/key-text.ts';
import { isPlainKey, MAX_KEY_BYTES } from '../credential/read.ts';
import type { Problem } from './problem.ts';
import type { Config } from './schema.ts';
import { type ReadFile, readFault } from './yaml-file.ts';

type ReceiverKey = Config['keys']['receiverKeys'][number];

export interface CompletedReceiverKeys {
  /** The same keys, each with its text in `key`, wherever that came from. */
  readonly keys: readonly ReceiverKey[];
  readonly problems: readonly Problem[];
}

/** Reads the keys that are in files, and says what no receiver key may be. */
export function completeReceiverKeys(receiverKeys: readonly ReceiverKey[], readFile: ReadFile): CompletedReceiverKeys {
  const problems: Problem[] = [];
  const names = new Set<string>();
  const texts = new Set<string>();

  const keys = receiverKeys.map((receiverKey, index) => {
    const at = (option: keyof ReceiverKey, message: string): void => {
      problems.push({ path: ['keys', 'receiverKeys', index, option], message });
    };
    if (names.has(receiverKey.name)) at('name', 'must be a name that no other receiver key has');
    names.add(receiverKey.name);

    const { keyFile } = receiverKey;
    if ((receiverKey.key === null) === (keyFile === null)) {
      at('key', 'must be set, or keyFile in its place; not both');
      return receiverKey;
    }
    const option = keyFile === null ? 'key' : 'keyFile';
    let key = receiverKey.key ?? '';
    try {
      if (keyFile !== null) key = readFile(keyFile).replace(/\r?\n$/, '');
    } catch (error) {
      at('keyFile', `must be a file that can be read: it ${readFault(error)}`);
      return receiverKey;
    }
    const problem = problemOf(key) ?? (texts.has(key) ? 'must be a key that no other receiver key has' : undefined);
    if (problem !== undefined) at(option, keyFile === null ? problem : `${problem} (the text in the file)`);
    texts.add(key);
    return { ...receiverKey, key };
  });
  return { keys, problems };
}

/** A key that no request could bring along is a mistake, and better said now than found out by its senders. */
function problemOf(key: string): string | undefined {
  if (!isPlainKey(key)) return `must be 1 to ${MAX_KEY_BYTES} visible ASCII characters, without spaces and commas`;
  if (checkKeyText(key) === 'bad')
    return 'must be the whole key: it looks like a generated one whose checksum is wrong';
  return undefined;
}
