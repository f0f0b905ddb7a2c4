import * as http from 'node:http';
import { setImmediate as letOthersRun } from 'node:timers/promises';
import { Registry } from 'prom-client';

export interface OpsServerOptions {
  /** All metrics in the text format of Prometheus, in pieces that are short work each. */
  readonly metrics: () => AsyncIterable<string>;
  /** Why this replica should get no traffic; undefined when it should. */
  readonly notReady: () => string | undefined;
}

const PROMETHEUS_TEXT = Registry.PROMETHEUS_CONTENT_TYPE;

/** /metrics, /livez and /readyz: never a key, never a body, never anything of a sender's. */
export function createOpsServer({ metrics, notReady }: OpsServerOptions): http.Server {
  const server = http.createServer((request, response) => {
    const reply = (status: number, type: string, body: string | Buffer): void => {
      response.writeHead(status, {
        'content-type': type,
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const say = (status: number, body: string): void => reply(status, 'text/plain; charset=utf-8', `${body}\n`);

    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return say(405, 'Use GET.');
    }
    switch (request.url?.split('?', 1)[0]) {
      case '/metrics':
        gather(metrics()).then(
          (text) => reply(200, PROMETHEUS_TEXT, text),
          () => say(500, 'The metrics could not be gathered.'),
        );
        return;
      case '/livez':
        return say(200, 'ok');
      case '/readyz': {
        const objection = notReady();
        return objection === undefined ? say(200, 'ready') : say(503, objection);
      }
      default:
        return say(404, 'Here are /metrics, /livez and /readyz.');
    }
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 256;
  return server;
}

/** Ten thousand keys are megabytes: senders are served between the pieces. */
async function gather(pieces: AsyncIterable<string>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of pieces) {
    parts.push(Buffer.from(piece));
    await letOthersRun();
  }
  return Buffer.concat(parts);
}
