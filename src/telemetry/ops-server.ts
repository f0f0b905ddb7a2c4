import * as http from 'node:http';
import type { Registry } from 'prom-client';

export interface OpsServerOptions {
  readonly registry: Registry;
  /** Why this replica should get no traffic; undefined when it should. */
  readonly notReady: () => string | undefined;
}

/** /metrics, /livez and /readyz: never a key, never a body, never anything of a sender's. */
export function createOpsServer({ registry, notReady }: OpsServerOptions): http.Server {
  const server = http.createServer((request, response) => {
    const reply = (status: number, type: string, body: string): void => {
      response.writeHead(status, {
        'content-type': type,
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
      });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const text = (status: number, body: string): void => reply(status, 'text/plain; charset=utf-8', `${body}\n`);

    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return text(405, 'Use GET.');
    }
    switch (request.url?.split('?', 1)[0]) {
      case '/metrics':
        registry.metrics().then(
          (metrics) => reply(200, registry.contentType, metrics),
          () => text(500, 'The metrics could not be gathered.'),
        );
        return;
      case '/livez':
        return text(200, 'ok');
      case '/readyz': {
        const objection = notReady();
        return objection === undefined ? text(200, 'ready') : text(503, objection);
      }
      default:
        return text(404, 'Here are /metrics, /livez and /readyz.');
    }
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.maxConnections = 256;
  return server;
}
