import { status as codes } from '@grpc/grpc-js';
import type { MethodDefinition, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { text, toBuffer, varintField } from '../reply/protobuf.ts';
import { readFields } from './protobuf-reader.ts';

/** grpc.health.v1 (proto/grpc/health/v1), by which Envoy finds out whom not to ask. */

export interface HealthOptions {
  /** Why this gateway should not be asked, if so. */
  readonly notReady: () => string | undefined;
  /** What may be asked about, besides the whole. */
  readonly services: readonly string[];
}

const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

/** How long whoever watches may not know of a change. */
const WATCH_INTERVAL_MS = 500;

/** An object, since to grpc-js an empty text is no message. */
interface Asked {
  readonly service: string;
}
type Definition = MethodDefinition<Asked, Buffer>;

const same = (bytes: Buffer): Buffer => bytes;
const common = {
  requestStream: false as const,
  requestSerialize: ({ service }: Asked): Buffer => toBuffer(text(1, service)),
  requestDeserialize: readAsked,
  responseSerialize: same,
  responseDeserialize: same,
};

export const HEALTH_SERVICE = {
  Check: { ...common, path: '/grpc.health.v1.Health/Check', responseStream: false } satisfies Definition,
  Watch: { ...common, path: '/grpc.health.v1.Health/Watch', responseStream: true } satisfies Definition,
};

export function createHealth({ notReady, services }: HealthOptions) {
  const known = new Set(['', ...services]);
  const stateOf = (service: string): number =>
    known.has(service) ? (notReady() === undefined ? SERVING : NOT_SERVING) : SERVICE_UNKNOWN;
  const watching = new Set<() => void>();

  return {
    handlers: {
      Check({ request }: ServerUnaryCall<Asked, Buffer>, reply: sendUnaryData<Buffer>): void {
        const state = stateOf(request.service);
        if (state === SERVICE_UNKNOWN) reply({ code: codes.NOT_FOUND, details: 'There is no such service here.' });
        else reply(null, answer(state));
      },
      Watch(call: ServerWritableStream<Asked, Buffer>): void {
        let told: number | undefined;
        const tell = (): void => {
          const state = stateOf(call.request.service);
          if (state !== told) call.write(answer(state));
          told = state;
        };
        const timer = setInterval(tell, WATCH_INTERVAL_MS).unref();
        const end = (): void => {
          clearInterval(timer);
          if (watching.delete(end)) call.end();
        };
        watching.add(end);
        call.on('cancelled', end);
        tell();
      },
    },
    /** Nobody watches any more: a connection does not end before its last call. */
    close(): void {
      for (const end of watching) end();
    },
  };
}

function answer(state: number): Buffer {
  return toBuffer(varintField(1, state));
}

function readAsked(message: Buffer): Asked {
  for (const { number, bytes } of readFields(message)) if (number === 1) return { service: bytes?.toString() ?? '' };
  return { service: '' };
}
