import { encodeHuffman } from '../../../src/plane/wire/http2/hpack/huffman.ts';
import { END_HEADERS, END_STREAM, frame, FRAME, PREFACE, SETTINGS, SETTINGS_ACK, uint32 } from '../h2-frames.ts';
import type { Part } from './exchange.ts';
import type { KeyTexts } from './http1-cases.ts';
import type { Field, Form, Http2Case, StreamPlan } from './http2-cases.ts';
import { NAME_FIELD } from './outcome.ts';

/** Writes blocks with a dynamic table, as a sender does until it hears that there shall be none. */
class Encoder {
  #table: Field[] = [];
  #isOff = false;
  #mustSaySo = false;

  turnOff(): void {
    this.#isOff = true;
    this.#mustSaySo = true;
    this.#table = [];
  }

  block(fields: readonly Field[], forms: readonly Form[]): Buffer {
    const parts = [
      ...(this.#mustSaySo ? [Buffer.from([0x20])] : []),
      ...fields.map((field, i) => this.#field(field, forms[i % forms.length] ?? 'plain')),
    ];
    this.#mustSaySo = false;
    return Buffer.concat(parts);
  }

  #field([name, value]: Field, form: Form): Buffer {
    const at = this.#table.findIndex(([n, v]) => n === name && v === value);
    if (at !== -1 && form !== 'never') return integer(0x80, 7, STATIC_ENTRIES + 1 + at);
    const named = form === 'named' ? this.#table.findIndex(([n]) => n === name) : -1;
    const isHuffman = form.endsWith('huffman');
    const adds = form.startsWith('incremental') && !this.#isOff;
    const first = adds
      ? integer(0x40, 6, 0)
      : integer(form === 'never' ? 0x10 : 0, 4, named === -1 ? 0 : STATIC_ENTRIES + 1 + named);
    if (adds) this.#table = [[name, value] as Field, ...this.#table].slice(0, MAX_ENTRIES);
    return Buffer.concat([first, ...(named === -1 ? [text(name, isHuffman)] : []), text(value, isHuffman)]);
  }
}
const STATIC_ENTRIES = 61;
/** Of 4,096 bytes and entries of up to 340 none may have been evicted that is referred to. */
const MAX_ENTRIES = 10;

function integer(first: number, bits: number, value: number): Buffer {
  const max = 2 ** bits - 1;
  if (value < max) return Buffer.from([first | value]);
  const bytes = [first | max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function text(value: string, isHuffman: boolean): Buffer {
  const bytes = isHuffman ? encodeHuffman(value) : Buffer.from(value, 'latin1');
  return Buffer.concat([integer(isHuffman ? 0x80 : 0, 7, bytes.length), bytes]);
}

const PADDED = 0x8;
const PRIORITY = 0x20;

/** What is written for it. Streams stand one behind the other; the odd one waits for those before it. */
export function writeHttp2({ streams, acknowledgedBefore, between }: Http2Case, name: string, keys: KeyTexts): Part[] {
  const encoder = new Encoder();
  const parts: Part[] = [{ bytes: Buffer.concat([PREFACE, SETTINGS]), awaits: 0 }];
  for (const [i, plan] of streams.entries()) {
    const bytes: Buffer[] = [];
    if (i === acknowledgedBefore) {
      bytes.push(SETTINGS_ACK);
      encoder.turnOff();
    }
    const streamId = 2 * i + 1;
    bytes.push(
      ...between.map((what) => BETWEEN[what](streamId)),
      ...writeStream(plan, streamId, `${name}-${i}`, keys, encoder),
    );
    // Behind an odd one, too: whether its error ends the connection must not race with what follows.
    const waits = plan.isOdd === true || streams[i - 1]?.isOdd === true || i === acknowledgedBefore;
    parts.push({ bytes: Buffer.concat(bytes), awaits: waits ? i : 0 });
  }
  return parts;
}

const BETWEEN: Readonly<Record<Http2Case['between'][number], (streamId: number) => Buffer>> = {
  ping: () => frame(FRAME.PING, 0, 0, Buffer.from('12345678')),
  window: () => frame(FRAME.WINDOW_UPDATE, 0, 0, uint32(1)),
  priority: (id) => frame(FRAME.PRIORITY, 0, id, Buffer.from([0, 0, 0, 0, 1])),
  unknown: (id) => frame(0x77, 0xff, id, Buffer.from('whatever')),
  settings: () => frame(FRAME.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0])),
};

function writeStream(plan: StreamPlan, id: number, name: string, keys: KeyTexts, encoder: Encoder): Buffer[] {
  const { protocol, pseudo, type, fields, forms, ending, body } = plan;
  const bytes = ending === 'head' ? 0 : body.reduce((sum, { bytes }) => sum + bytes, 0);
  const all: Field[] = [
    ...pseudo,
    ['content-type', type],
    [NAME_FIELD, name],
    ...keyFields(plan, keys),
    ...fields,
    ...lengthFields(plan, bytes),
  ];
  const block = encoder.block(all, forms);
  const frames = writeHead(plan, id, block, ending === 'head');
  if (ending === 'head') return frames;
  for (const [i, { bytes, padding }] of body.entries()) {
    const ends = ending === 'data' && i === body.length - 1;
    frames.push(writeData(id, Buffer.alloc(bytes, protocol), padding, ends));
  }
  const trailers = (list: readonly Field[], flags: number): Buffer =>
    frame(FRAME.HEADERS, END_HEADERS | flags, id, encoder.block(list, forms));
  if (ending === 'empty data') frames.push(writeData(id, Buffer.alloc(0), 0, true));
  else if (ending === 'trailers')
    frames.push(
      trailers(
        [
          ['x-late', 'a'],
          ['x-extra', 'value'],
        ],
        END_STREAM,
      ),
    );
  else if (ending === 'odd trailers')
    frames.push(
      trailers(
        [
          ['x-late', 'a'],
          [':path', '/'],
        ],
        END_STREAM,
      ),
    );
  else if (ending === 'open trailers') frames.push(trailers([['x-late', 'a']], 0));
  else if (ending === 'reset') frames.push(frame(FRAME.RST_STREAM, 0, id, uint32(8)));
  return frames;
}

function writeHead({ cuts, headPadding, hasPriority }: StreamPlan, id: number, block: Buffer, ends: boolean): Buffer[] {
  const at = [...new Set([...cuts.map((part) => Math.round(part * block.length)), block.length])].sort((a, b) => a - b);
  const fragments = at.map((end, i) => block.subarray(i === 0 ? 0 : at[i - 1], end));
  return fragments.map((fragment, i) => {
    const flags = i === fragments.length - 1 ? END_HEADERS : 0;
    if (i > 0) return frame(FRAME.CONTINUATION, flags, id, fragment);
    return frame(
      FRAME.HEADERS,
      flags | (ends ? END_STREAM : 0) | (headPadding > 0 ? PADDED : 0) | (hasPriority ? PRIORITY : 0),
      id,
      Buffer.concat([
        headPadding > 0 ? Buffer.from([headPadding]) : Buffer.alloc(0),
        hasPriority ? Buffer.from([0, 0, 0, 0, 15]) : Buffer.alloc(0),
        fragment,
        Buffer.alloc(headPadding),
      ]),
    );
  });
}

function writeData(id: number, piece: Buffer, padding: number, ends: boolean): Buffer {
  const flags = ends ? END_STREAM : 0;
  if (padding === 0) return frame(FRAME.DATA, flags, id, piece);
  return frame(FRAME.DATA, flags | PADDED, id, Buffer.concat([Buffer.from([padding]), piece, Buffer.alloc(padding)]));
}

const ENDS: ReadonlySet<string> = new Set(['data', 'empty data', 'trailers', 'head']);

function keyFields({ key }: StreamPlan, keys: KeyTexts): Field[] {
  if (key === 'none') return [];
  if (key === 'malformed') return [['authorization', 'ApiKey a b']];
  if (key === 'two')
    return [
      ['x-api-key', keys.good],
      ['authorization', `Bearer ${keys.unknown}`],
    ];
  return [['x-api-key', keys[key]]];
}

function lengthFields({ length, ending }: StreamPlan, bytes: number): Field[] {
  // To a collector over HTTP/1.1 a body of the right length is whole, although its stream never ends.
  if (length === 'right' && !ENDS.has(ending)) return [];
  switch (length) {
    case 'none':
      return [];
    case 'right':
      return [['content-length', String(bytes)]];
    case 'wrong':
      return [['content-length', String(bytes + 1)]];
    case 'twice':
      return [
        ['content-length', String(bytes)],
        ['content-length', String(bytes)],
      ];
    case 'no number':
      return [['content-length', `+${bytes}`]];
  }
}
