import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import type { Signal } from '../keys/record.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from '../plane/otlp-paths.ts';
import { countItems } from './count-items.ts';

export interface Received {
  readonly signal: Signal;
  readonly protocol: 'grpc' | 'http';
  /** Spans, metrics, log records or profiles; undefined when the body was in an encoding that is not looked into. */
  readonly items: number | undefined;
  readonly bytes: number;
  readonly keyName: string | undefined;
}

export interface DevCollector {
  readonly grpcUrl: string;
  readonly httpUrl: string;
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 64 << 20;

/** Stands in for a collector when one tries Keygate out: takes everything, keeps nothing, and says what came. */
export async function startDevCollector(onReceived: (received: Received) => void): Promise<DevCollector> {
  const grpc = createGrpc(onReceived);
  const grpcPort = await promisify(grpc.bindAsync.bind(grpc))('127.0.0.1:0', ServerCredentials.createInsecure());
  const web = createHttp(onReceived);
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const { port } = web.address() as AddressInfo;
  return {
    grpcUrl: `http://127.0.0.1:${grpcPort}`,
    httpUrl: `http://127.0.0.1:${port}`,
    async close() {
      grpc.forceShutdown();
      web.closeAllConnections();
      await new Promise((resolve) => web.close(resolve));
    },
  };
}

function createGrpc(onReceived: (received: Received) => void): Server {
  const server = new Server({ 'grpc.max_receive_message_length': MAX_BODY_BYTES });
  const same = (bytes: Buffer): Buffer => bytes;
  for (const [path, signal] of GRPC_ROUTES) {
    const handle = (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void => {
      const [keyName] = call.metadata.get('x-keygate-key-name');
      onReceived({
        signal,
        protocol: 'grpc',
        items: countItems(call.request),
        bytes: call.request.length,
        keyName: keyName?.toString(),
      });
      reply(null, Buffer.alloc(0)); // an empty ExportServiceResponse: everything was taken
    };
    server.register(path, handle, same, same, 'unary');
  }
  return server;
}

function createHttp(onReceived: (received: Received) => void): http.Server {
  return http.createServer((request, response) => {
    const signal = HTTP_ROUTES.get(request.url ?? '');
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    request.on('end', () => {
      const type = request.headers['content-type'] ?? 'application/x-protobuf';
      const isJson = type.startsWith('application/json');
      const body = isJson ? '{}' : '';
      response.writeHead(signal === undefined ? 404 : 200, { 'content-type': type, 'content-length': body.length });
      response.end(body);
      if (signal === undefined) return;
      const keyName = request.headers['x-keygate-key-name']?.toString();
      void inflated(Buffer.concat(chunks), request.headers['content-encoding']).then((payload) =>
        onReceived({
          signal,
          protocol: 'http',
          items: payload === undefined ? undefined : isJson ? countJsonItems(payload) : countItems(payload),
          bytes,
          keyName,
        }),
      );
    });
  });
}

async function inflated(body: Buffer, encoding: string | undefined): Promise<Buffer | undefined> {
  try {
    const options = { maxOutputLength: MAX_BODY_BYTES };
    switch (encoding) {
      case undefined:
        return body;
      case 'gzip':
        return await promisify<Buffer, typeof options, Buffer>(gunzip)(body, options);
      case 'deflate':
      case 'zlib':
        return await promisify<Buffer, typeof options, Buffer>(inflate)(body, options);
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

/** The same three levels in JSON: resource…[].scope…[].items[]. */
function countJsonItems(payload: Buffer): number | undefined {
  try {
    let level: unknown[] = [JSON.parse(payload.toString('utf8'))];
    for (const name of [/^resource[A-Z]\w*s$/, /^scope[A-Z]\w*s$/, /^(?:spans|metrics|logRecords|profiles)$/]) {
      level = level.flatMap((node) =>
        typeof node === 'object' && node !== null
          ? Object.entries(node).flatMap(([key, value]) => (name.test(key) && Array.isArray(value) ? value : []))
          : [],
      );
    }
    return level.length;
  } catch {
    return undefined;
  }
}
