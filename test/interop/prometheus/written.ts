import { join } from 'node:path';
import { loadSync } from '@grpc/proto-loader';
import type { MessageTypeDefinition } from '@grpc/proto-loader';
import { nameOf } from '../../prometheus/prometheus.ts';
import type { Arrival } from '../../support/collector.ts';

/** What Prometheus has written, by what arrived. */

interface WriteRequest {
  readonly timeseries: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    readonly samples: readonly { readonly timestamp: number }[];
  }[];
}

const definitions = loadSync(join(import.meta.dirname, 'remote-write.proto'), {
  defaults: true,
  arrays: true,
  longs: Number,
});
const { deserialize } = definitions['prometheus.WriteRequest'] as unknown as MessageTypeDefinition<
  object,
  WriteRequest
>;

/** Each sample in it, in the words of `TestPrometheus.samples`. */
export function writtenSamples({ body }: Arrival): string[] {
  return deserialize(unsnappy(body)).timeseries.flatMap(({ labels, samples }) => {
    const series = Object.fromEntries(labels.map(({ name, value }) => [name, value]));
    return samples.map(({ timestamp }) => nameOf(series, timestamp));
  });
}

/** The block format of snappy: the length, then literals and copies of what came before. */
function unsnappy(packed: Buffer): Buffer {
  let at = 0;
  const littleEndian = (bytes: number): number => {
    at += bytes;
    return packed.readUIntLE(at - bytes, bytes);
  };
  let length = 0;
  for (let shift = 0, more = true; more; shift += 7) {
    const byte = littleEndian(1);
    length += (byte & 0x7f) * 2 ** shift;
    more = byte > 0x7f;
  }
  const plain = Buffer.alloc(length);
  let end = 0;
  while (at < packed.length) {
    const tag = littleEndian(1);
    const kind = tag & 3;
    const upper = tag >> 2;
    if (kind === 0) {
      const size = 1 + (upper < 60 ? upper : littleEndian(upper - 59));
      end += packed.copy(plain, end, at, at + size);
      at += size;
      continue;
    }
    const size = kind === 1 ? (upper & 7) + 4 : upper + 1;
    const back = kind === 1 ? ((upper >> 3) << 8) + littleEndian(1) : littleEndian(kind === 2 ? 2 : 4);
    // Byte by byte: a copy may overlap what it makes.
    for (let i = 0; i < size; i += 1, end += 1) plain[end] = plain[end - back] ?? 0;
  }
  if (end !== length) throw new Error(`a block of snappy has ${end} bytes, and says ${length}`);
  return plain;
}
