import type { Chance } from './mutate.ts';

/** What is fed with inputs. */
export interface Target {
  /** Takes one input; resolves with what is wrong, once all of it is over. Whatever is thrown anywhere is wrong, too. */
  run(input: Buffer, chance: Chance): Promise<string | undefined>;
  /** Ends all that it has begun. */
  close(): Promise<void>;
}

/** Stands for a key of the same length in inputs, so that they can be kept. */
export const KEY_IN_INPUTS = 'K'.repeat(48);

export function withKey(input: Buffer, key: string): Buffer {
  const bytes = Buffer.from(input);
  for (let at = bytes.indexOf(KEY_IN_INPUTS); at !== -1; at = bytes.indexOf(KEY_IN_INPUTS, at + 1))
    bytes.write(key, at, 'latin1');
  return bytes;
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}
