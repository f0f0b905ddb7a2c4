import { toShownAnswer } from '../admin/explain.ts';
import type { ShownAnswer } from '../admin/explain.ts';
import { checkKeyText } from '../credential/key-text.ts';
import { isPlainKey } from '../credential/read.ts';

/** What every gateway says to this text without asking anybody; undefined if it is looked up. */
export function answerToText(text: string): ShownAnswer | undefined {
  if (!isPlainKey(text)) return toShownAnswer({ level: 'configuration', reason: 'malformed_credential' });
  if (checkKeyText(text) === 'bad') return toShownAnswer({ level: 'configuration', reason: 'bad_checksum' });
  return undefined;
}
