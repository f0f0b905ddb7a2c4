import { createServer } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { listenOnLoopback } from '../../support/collector.ts';
import type { Scope } from '../../support/scope.ts';
import { readBatchNames } from '../../rolling/batch.ts';

/** The backend of the Collector behind Keygate: it knows each batch by its name, and is never away. */
export interface Sink {
  readonly url: string;
  /** How often it has come. */
  times(name: string): number;
  /** What came with the first batch of this client. */
  headersOf(client: string): IncomingHttpHeaders | undefined;
  /** All that has ever come, and holds this. */
  holds(text: string): boolean;
}

const MOST_KEPT_BYTES = 64 << 20;

export async function startSink(t: Scope): Promise<Sink> {
  const times = new Map<string, number>();
  const first = new Map<string, IncomingHttpHeaders>();
  let kept = '';
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      for (const name of readBatchNames(body)) {
        times.set(name, (times.get(name) ?? 0) + 1);
        const [, client = ''] = name.split(':');
        if (!first.has(client)) first.set(client, request.headers);
      }
      if (kept.length < MOST_KEPT_BYTES) kept += `${request.rawHeaders.join('\n')}\n${body.toString('latin1')}\n`;
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  const port = await listenOnLoopback(server);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${port}`,
    times: (name) => times.get(name) ?? 0,
    headersOf: (client) => first.get(client),
    holds: (text) => kept.includes(text),
  };
}
