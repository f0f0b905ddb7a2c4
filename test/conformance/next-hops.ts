import { writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findPort } from '../support/ports.ts';
import { startProgram } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { debianProgram, goProgram } from './toolchain.ts';

/** Real servers that may stand behind the gateway, each a proxy before a backend. */

export interface NextHop {
  readonly name: string;
  /** Starts it before the backend at this port; resolves with its own port. */
  start(t: TestContext, backendPort: number): Promise<number>;
}

/** What it is run with, before which backend and with what in its folder. */
type Command = (at: { readonly port: number; readonly backend: string; readonly folder: string }) => {
  readonly args: readonly string[];
  readonly config?: string;
};

/** Installs or builds them. */
export function findNextHops(): readonly NextHop[] {
  const proxy = goProgram({ folder: 'smuggling', package: 'keygate/test/conformance/smuggling' });
  return [
    nextHop('nginx', debianProgram('nginx', 'nginx-light'), nginx),
    nextHop('HAProxy', debianProgram('haproxy'), haproxy),
    nextHop('Go net/http', proxy, ({ port, backend }) => ({ args: [`127.0.0.1:${port}`, `http://${backend}`] })),
  ];
}

/** It is told to pass on what it would else leave out, so that nothing of what the gateway says is hidden by it. */
const nginx: Command = ({ port, backend, folder }) => ({
  args: ['-p', folder, '-e', 'stderr', '-c', join(folder, 'config')],
  config: `
    daemon off;
    master_process off;
    pid nginx.pid;
    events {}
    http {
      access_log off;
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; scgi_temp_path scgi; uwsgi_temp_path uwsgi;
      ignore_invalid_headers off;
      underscores_in_headers on;
      upstream backend { server ${backend}; keepalive 8; }
      server {
        listen 127.0.0.1:${port};
        location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }
      }
    }`,
});

const haproxy: Command = ({ port, backend, folder }) => ({
  args: ['-db', '-f', join(folder, 'config')],
  config: `
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend behind
backend behind
  server one ${backend}
`,
});

function nextHop(name: string, program: string, command: Command): NextHop {
  return {
    name,
    async start(t, backendPort) {
      const folder = await temporaryDirectory(t);
      const port = await findPort();
      const { args, config } = command({ port, backend: `127.0.0.1:${backendPort}`, folder });
      if (config !== undefined) writeFileSync(join(folder, 'config'), config);
      await startProgram(t, [program, ...args]).until(`${name} listens`, () => canConnect(port));
      return port;
    },
  };
}

export async function canConnect(port: number): Promise<boolean> {
  const socket = net.connect({ host: '127.0.0.1', port });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
