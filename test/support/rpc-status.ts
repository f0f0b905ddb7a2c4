import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import type { MessageTypeDefinition } from '@grpc/proto-loader';

/** Reads what Keygate wrote by hand with a protobuf library and the definitions in proto/. */

export interface DecodedStatus {
  readonly code: number;
  readonly message: string;
  readonly details: readonly unknown[];
}

const definitions = loadSync(['google/rpc/status.proto', 'google/rpc/error_details.proto'], {
  includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
  keepCase: true,
  longs: Number,
  defaults: true,
});

function read<T>(name: string, bytes: Buffer): T {
  const definition = definitions[name] as unknown as MessageTypeDefinition<T, T>;
  return structuredClone(definition.deserialize(bytes));
}

/** Details come with their type, "@type", as in JSON. */
export function decodeStatus(bytes: Buffer): DecodedStatus {
  const { details, ...status } = read<DecodedStatus & { details: { type_url: string; value: Buffer }[] }>(
    'google.rpc.Status',
    bytes,
  );
  return {
    ...status,
    details: details.map(({ type_url, value }) => ({
      '@type': type_url,
      ...read<object>(type_url.split('/').at(-1) ?? '', value),
    })),
  };
}

export function decodeRetryInfo(bytes: Buffer): unknown {
  return read('google.rpc.RetryInfo', bytes);
}
