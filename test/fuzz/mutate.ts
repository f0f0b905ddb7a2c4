/** Repeatable chance (xorshift32): a seed says everything that a run does. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** A whole number from 0 up to, and without, the limit. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % Math.max(1, limit);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}

export const MAX_INPUT_BYTES = 65_536;

const TELLING = [0, 1, 0x09, 0x0a, 0x0d, 0x20, 0x2c, 0x30, 0x3a, 0x3b, 0x7f, 0x80, 0xff];

type Mutation = (bytes: Buffer, chance: Chance, other: Buffer) => Buffer;

function part(bytes: Buffer, chance: Chance): [start: number, end: number] {
  const start = chance.below(bytes.length);
  return [start, Math.min(bytes.length, start + 1 + chance.below(chance.of([4, 40, 400])))];
}

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, chance) {
    const at = chance.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << chance.below(8));
    return bytes;
  },
  function replace(bytes, chance) {
    bytes[chance.below(bytes.length)] = chance.below(4) === 0 ? chance.below(256) : chance.of(TELLING);
    return bytes;
  },
  function insert(bytes, chance) {
    const at = chance.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from([chance.of(TELLING)]), bytes.subarray(at)]);
  },
  function remove(bytes, chance) {
    const [start, end] = part(bytes, chance);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  function duplicate(bytes, chance) {
    const [start, end] = part(bytes, chance);
    const times = chance.of([1, 1, 2, 16]);
    const again = Array.from({ length: times }, () => bytes.subarray(start, end));
    return Buffer.concat([bytes.subarray(0, end), ...again, bytes.subarray(end)]);
  },
  function splice(bytes, chance, other) {
    const [start, end] = part(other, chance);
    const at = chance.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), other.subarray(start, end), bytes.subarray(at)]);
  },
  function cross(bytes, chance, other) {
    return Buffer.concat([
      bytes.subarray(0, chance.below(bytes.length + 1)),
      other.subarray(chance.below(other.length)),
    ]);
  },
  function truncate(bytes, chance) {
    return bytes.subarray(0, chance.below(bytes.length + 1));
  },
  /** What could be a length says something else. */
  function lie(bytes, chance) {
    if (bytes.length < 4) return bytes;
    bytes.writeUIntBE(chance.of([0, 1, 8, 255, 16_384, 16_385, 65_535, 0xff_ffff]), chance.below(bytes.length - 3), 3);
    return bytes;
  },
  /** The same for text. */
  function lieInDigits(bytes, chance) {
    const text = bytes.toString('latin1');
    const numbers = Array.from(text.matchAll(/[0-9a-f]+/gi));
    if (numbers.length === 0) return bytes;
    const { 0: digits, index } = chance.of(numbers);
    const number = chance.of(['0', '1', '9', 'f', '00', '4294967295', '99999999999999999999', '-1', '']);
    return Buffer.from(text.slice(0, index) + number + text.slice(index + digits.length), 'latin1');
  },
];

/** The bytes changed in a few places, with parts of another input. */
export function mutate(input: Buffer, other: Buffer, chance: Chance): Buffer {
  let bytes: Buffer = Buffer.from(input);
  for (let left = 1 + chance.below(chance.of([2, 4, 12])); left > 0; left--) {
    bytes = chance.of(MUTATIONS)(bytes.length === 0 ? Buffer.from([0]) : bytes, chance, other);
    if (bytes.length > MAX_INPUT_BYTES) bytes = bytes.subarray(0, MAX_INPUT_BYTES);
  }
  return bytes;
}

/** Cuts the bytes as a network may: often not at all, sometimes into single bytes. */
export function chop(bytes: Buffer, chance: Chance): Buffer[] {
  const largest = chance.of([bytes.length, bytes.length, 1_000, 100, bytes.length < 2_000 ? 1 : 50]);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + chance.below(largest));
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}
