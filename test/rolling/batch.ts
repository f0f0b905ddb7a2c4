import type { Signal } from '../../src/keys/record.ts';

/** A batch that can be told from all others, wherever it is seen. */
export interface BatchId {
  /** Who sent it. */
  readonly client: string;
  readonly number: number;
}

/** The name of what it consists of. */
export function batchName({ client, number }: BatchId): string {
  return `batch:${client}:${number};`;
}

/** Which batch a request brings, in whatever protocol, uncompressed; undefined if it is none of ours. */
export function readBatchName(body: Buffer): string | undefined {
  const from = body.indexOf('batch:');
  const to = body.indexOf(';', from);
  return from === -1 || to === -1 ? undefined : body.toString('latin1', from, to + 1);
}

/** All that a request brings, of whatever signal, uncompressed. */
export function readBatchNames(body: Buffer): string[] {
  return [...body.toString('latin1').matchAll(/batch:[^;]*;/g)].map(([name]) => name);
}

const NOTHING = Buffer.alloc(0);

/** An Export...ServiceRequest with one item: a span, a metric, a log record or a profile of that name. */
export function otlpRequest(name: string, signal: Signal = 'traces'): Buffer {
  const named = Buffer.from(name);
  switch (signal) {
    case 'traces':
      return inScope(Buffer.concat([field(1, Buffer.alloc(16, 7)), field(2, Buffer.alloc(8, 7)), field(5, named)]));
    case 'metrics': {
      const gaugeOfOnePoint = field(5, field(1, NOTHING));
      return inScope(Buffer.concat([field(1, named), gaugeOfOnePoint]));
    }
    case 'logs':
      return inScope(field(5, field(1, named)));
    case 'profiles': {
      // With one sample: Collectors leave out profiles without any. Names are in a dictionary, whose first one is empty.
      const dictionary = field(2, Buffer.concat([field(5, NOTHING), field(5, named)]));
      return Buffer.concat([inScope(field(2, NOTHING)), dictionary]);
    }
  }
}

/** In the only scope of the only resource. */
function inScope(item: Buffer): Buffer {
  return field(1, field(2, field(2, item)));
}

/** A field of protobuf with a length, which is below 128 here. */
function field(number: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, payload.length]), payload]);
}
