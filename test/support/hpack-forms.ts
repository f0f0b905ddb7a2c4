import * as fc from 'fast-check';
import { encodeHuffman } from '../../src/plane/wire/http2/hpack/huffman.ts';
import { STATIC_INDEX } from '../../src/plane/wire/http2/hpack/tables.ts';

/** One field in one of the ways in which RFC 7541 section 6.2 lets it be written. */
export interface FieldForm {
  readonly name: string;
  readonly value: string;
  readonly form?: 'without indexing' | 'never indexed' | 'with indexing';
  /** Refers to the static table for the name where that has it. */
  readonly byIndex?: boolean;
  readonly codesName?: boolean;
  readonly codesValue?: boolean;
}

const FORMS = { 'without indexing': [0x00, 15], 'never indexed': [0x10, 15], 'with indexing': [0x40, 63] } as const;

export function blockOf(fields: readonly FieldForm[]): Buffer {
  return Buffer.concat(fields.map(fieldOf));
}

function fieldOf({ name, value, form = 'without indexing', byIndex, codesName, codesValue }: FieldForm): Buffer {
  const [bits, mask] = FORMS[form];
  const index = byIndex === true ? STATIC_INDEX.get(name) : undefined;
  const start = integer(bits, mask, index ?? 0);
  return Buffer.concat([start, ...(index === undefined ? [string(name, codesName)] : []), string(value, codesValue)]);
}

function string(text: string, isCoded = false): Buffer {
  const bytes = isCoded ? encodeHuffman(text) : Buffer.from(text, 'latin1');
  return Buffer.concat([integer(isCoded ? 0x80 : 0, 127, bytes.length), bytes]);
}

function integer(bits: number, mask: number, value: number): Buffer {
  if (value < mask) return Buffer.from([bits | value]);
  const bytes = [bits | mask];
  let rest = value - mask;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** Any way of writing these fields. */
export function anyForms(fields: readonly (readonly [name: string, value: string])[]): fc.Arbitrary<FieldForm[]> {
  const flags = fc.record({
    form: fc.constantFrom('without indexing', 'never indexed', 'with indexing'),
    byIndex: fc.boolean(),
    codesName: fc.boolean(),
    codesValue: fc.boolean(),
  });
  return fc
    .array(flags, { minLength: fields.length, maxLength: fields.length })
    .map((forms) => fields.map(([name, value], i) => ({ name, value, ...forms[i] })));
}
