import type { RawFields } from '../../../credential/read.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { readAnswerHead, VARYING_ANSWER_FIELDS } from './answer-head.ts';
import { HpackDecoder } from './hpack/decoder.ts';

/** A collector's answer has a dozen fields of some hundred bytes; a status with its details may have some thousand. */
const LIMITS = { maxHeaders: 128, maxHeaderBytes: 64 * 1024 };

/** As it comes, Huffman coded and all. */
export const MAX_ANSWER_BLOCK_BYTES = LIMITS.maxHeaderBytes;

export interface AnswerBlock {
  readonly head: AnswerHead;
  readonly varying: RawFields;
}

/** Reads the header blocks that one collector's connection sends. */
export class AnswerReader {
  readonly #decoder = new HpackDecoder(LIMITS);

  /** Our SETTINGS are in force: blocks carry no state any more. */
  settingsAcknowledged(): void {
    this.#decoder.dropTable();
  }

  /** After `compression_error` no other block can be read; what is malformed is the answer's own fault. */
  read(block: Buffer): AnswerBlock | 'malformed' | 'compression_error' {
    const fields = this.#decoder.decode(block);
    if (fields === 'compression_error') return fields;
    if (fields === 'too_large') return 'malformed';
    const lasting: string[] = [];
    const varying: string[] = [];
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string;
      (VARYING_ANSWER_FIELDS.has(name) ? varying : lasting).push(name, fields[i + 1] as string);
    }
    const head = readAnswerHead(lasting);
    return head === undefined ? 'malformed' : { head, varying };
  }
}
