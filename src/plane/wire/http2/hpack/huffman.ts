/**
 * The Huffman code of RFC 7541 appendix B. It is canonical, so the lengths of its codes say it all: one digit in base 36
 * for each byte. The last code of all, 30 ones, is the end of the string (EOS), which never stands in one.
 */
const CODE_LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq';
const LONGEST_CODE = 30;

interface Code {
  readonly bits: number;
  readonly length: number;
}

function makeCodes(): readonly Code[] {
  const lengths = Array.from(CODE_LENGTHS, (digit) => Number.parseInt(digit, 36));
  const codes: Code[] = [];
  let next = 0;
  for (let length = 1; length <= LONGEST_CODE; length++) {
    next *= 2;
    for (let byte = 0; byte < 256; byte++) if (lengths[byte] === length) codes[byte] = { bits: next++, length };
  }
  return codes;
}

const CODES = makeCodes();

/**
 * A tree with 256 branches at each node, since bits are looked up eight at a time. An entry below zero is the next node,
 * above zero it is a byte and how many of the eight bits were its code's; zero is no code.
 */
const NODES = makeNodes();

function makeNodes(): Int16Array {
  const entries: number[] = Array.from({ length: 256 }, () => 0);
  for (const [byte, code] of CODES.entries()) {
    let node = 0;
    let left = code.length;
    for (; left > 8; left -= 8) {
      const at = node * 256 + ((code.bits >>> (left - 8)) & 0xff);
      if (entries[at] === 0) {
        entries[at] = -(entries.length / 256);
        entries.push(...Array.from({ length: 256 }, () => 0));
      }
      node = -(entries[at] as number);
    }
    const first = (code.bits << (8 - left)) & 0xff;
    entries.fill((left << 8) | byte, node * 256 + first, node * 256 + first + 2 ** (8 - left));
  }
  return Int16Array.from(entries);
}

/** No code is shorter than five bits. */
export function longestDecoded(codedBytes: number): number {
  return Math.floor((codedBytes * 8) / 5);
}

/**
 * Decodes into a target that has room for `longestDecoded` bytes; says how many they were, or -1 if that is no Huffman
 * string: EOS in it, padding of more than seven bits, or padding that is not all ones (RFC 7541 section 5.2).
 */
export function decodeHuffman(source: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let written = 0;
  let bits = 0;
  let count = 0;
  let node = 0;
  for (let at = start; at < end; at++) {
    bits = ((bits << 8) | (source[at] as number)) & 0xffff;
    count += 8;
    while (count >= 8) {
      const entry = NODES[node + ((bits >>> (count - 8)) & 0xff)] as number;
      if (entry > 0) {
        target[written++] = entry;
        count -= entry >>> 8;
        node = 0;
      } else if (entry < 0) {
        count -= 8;
        node = -entry << 8;
      } else {
        return -1;
      }
    }
  }
  // What is left is less than eight bits: the ends of codes, and padding.
  while (count > 0) {
    const entry = NODES[node + ((bits << (8 - count)) & 0xff)] as number;
    if (entry <= 0 || entry >>> 8 > count) break;
    target[written++] = entry;
    count -= entry >>> 8;
    node = 0;
  }
  if (node !== 0) return -1;
  const padding = (1 << count) - 1;
  return (bits & padding) === padding ? written : -1;
}

/** For what is coded once; the frames we send carry plain strings. */
export function encodeHuffman(text: string): Buffer {
  let bits = '';
  for (const byte of Buffer.from(text, 'latin1')) {
    const code = CODES[byte] as Code;
    bits += code.bits.toString(2).padStart(code.length, '0');
  }
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  return Buffer.from(bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
}
