/** A batch that can be told from all others, wherever it is seen. */
export interface BatchId {
  /** Who sent it. */
  readonly client: string;
  readonly number: number;
}

/** The name of the span that it consists of. */
export function batchName({ client, number }: BatchId): string {
  return `batch:${client}:${number};`;
}

/** Which batch a request brings, in whatever protocol, uncompressed; undefined if it is none of ours. */
export function readBatchName(body: Buffer): string | undefined {
  const from = body.indexOf('batch:');
  const to = body.indexOf(';', from);
  return from === -1 || to === -1 ? undefined : body.toString('latin1', from, to + 1);
}

/** An ExportTraceServiceRequest with one span of that name. */
export function otlpRequest(name: string): Buffer {
  const span = Buffer.concat([
    field(1, Buffer.alloc(16, 7)),
    field(2, Buffer.alloc(8, 7)),
    field(5, Buffer.from(name)),
  ]);
  const scopeSpans = field(2, span);
  const resourceSpans = field(2, scopeSpans);
  return field(1, resourceSpans);
}

/** A field of protobuf with a length, which is below 128 here. */
function field(number: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, payload.length]), payload]);
}
