import type { RawFields } from '../../../credential/read.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { VARYING_IN_ANSWERS } from '../varying.ts';
import { readAnswerHead, withoutBlanks } from './answer-head.ts';
import { NamesInBlocks } from './block-walk.ts';
import { BlockMemo } from './head-memo.ts';
import { HpackDecoder } from './hpack/decoder.ts';
import { isRegularField } from './request-fields.ts';

/** A collector's answer has a dozen fields of some hundred bytes; a status with its details may have some thousand. */
const LIMITS = { maxHeaders: 128, maxHeaderBytes: 64 * 1024 };

/** As it comes, Huffman coded and all. */
export const MAX_ANSWER_BLOCK_BYTES = LIMITS.maxHeaderBytes;

const VARYING = new NamesInBlocks(VARYING_IN_ANSWERS);

export interface AnswerBlock {
  readonly head: AnswerHead;
  readonly varying: RawFields;
}

/** Reads the header blocks that one collector's connection sends. */
export class AnswerReader {
  readonly #decoder = new HpackDecoder(LIMITS);
  /** Only once blocks carry no state. */
  #memo: BlockMemo<AnswerHead> | undefined;

  /** Our SETTINGS are in force: blocks carry no state any more. */
  settingsAcknowledged(): void {
    this.#decoder.dropTable();
    this.#memo ??= new BlockMemo(VARYING, LIMITS);
  }

  /** After `compression_error` no other block can be read; what is malformed is the answer's own fault. */
  read(block: Buffer): AnswerBlock | 'malformed' | 'compression_error' {
    const known = this.#memo?.lookup(block);
    if (known !== undefined) return { head: known.value, varying: known.varying };
    const fields = this.#decoder.decode(block);
    if (fields === 'compression_error') return fields;
    if (fields === 'too_large') return 'malformed';
    const lasting: string[] = [];
    const varying: string[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string;
      const value = withoutBlanks(fields[i + 1] as string);
      if (!VARYING_IN_ANSWERS.has(name)) lasting.push(name, value);
      else if (isRegularField(name, value)) varying.push(name, value);
      else return 'malformed';
    }
    const head = readAnswerHead(lasting, this.#decoder.sawNeverIndexed);
    if (head === undefined) return 'malformed';
    this.#memo?.remember(block, fields, head);
    return { head, varying };
  }
}
