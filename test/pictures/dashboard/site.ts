import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { listenOnLoopback } from '../../support/collector.ts';
import { GRAFANA_DASHBOARD } from '../../support/dashboard.ts';
import type { Scope } from '../../support/scope.ts';
import { fillIn } from '../../prometheus/dashboard.ts';
import type { Bundle } from './bundle.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Keygate</title>
<link rel="stylesheet" href="/main.css">
<script>window.__grafana_public_path__ = '/public/'</script>
<body><div id="root"></div><script type="module" src="/main.js"></script></body>
</html>
`;

/** Serves the page, the dashboard with its variables filled in, and Prometheus, all at one address; resolves with it. */
export async function openSite(scope: Scope, { folder, icons }: Bundle, prometheus: string, jobs: readonly string[]) {
  const dashboard = JSON.stringify(GRAFANA_DASHBOARD, (name, value: unknown) =>
    name === 'expr' && typeof value === 'string' ? fillIn(value, jobs) : value,
  );

  function sendFile(response: ServerResponse, root: string, path: string): void {
    const file = join(root, normalize(`/${path}`));
    const bytes = readFileSync(file);
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream').end(bytes);
  }

  const server = createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://site');
    const answer = async (): Promise<unknown> => {
      if (pathname === '/') return response.setHeader('content-type', 'text/html').end(PAGE);
      if (pathname === '/dashboard.json') return response.setHeader('content-type', 'application/json').end(dashboard);
      if (pathname.startsWith('/api/'))
        return response.end(await (await fetch(`${prometheus}${pathname}${search}`)).text());
      if (pathname.startsWith('/public/'))
        return sendFile(response, icons, pathname.replace(/^\/public\/(?:build\/)?/, ''));
      return sendFile(response, folder, pathname);
    };
    answer().catch((error: unknown) => response.writeHead(404).end(String(error)));
  });
  scope.after(() => server.close());
  return `http://127.0.0.1:${await listenOnLoopback(server)}`;
}
