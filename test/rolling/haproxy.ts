import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startProgram } from '../support/program.ts';
import type { Scope } from '../support/scope.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** A gateway, as HAProxy is told of it. */
export interface Server {
  readonly grpc: number;
  readonly http: number;
  readonly ops: number;
}

export interface Haproxy {
  readonly grpcUrl: string;
  readonly httpUrl: string;
  /** Resolves when its health checks have found this gateway (0 or 1) to be so. */
  sees(gateway: number, state: 'up' | 'down'): Promise<void>;
}

const CONFIG = join(import.meta.dirname, '../../config/haproxy');
const CHECKED_WITHIN_MS = 20_000;
/** Columns of "show stat": who it is, and what the last check said. A server that was not checked yet is taken for up. */
const NAME_AT = 1;
const STATUS_AT = 17;
const CHECK_AT = 36;

/** The example in config/haproxy, with the addresses of this machine in place of those in it. */
export async function startHaproxy(
  t: Scope,
  program: string,
  example: string,
  { ports, servers }: { readonly ports: Pick<Server, 'grpc' | 'http'>; readonly servers: readonly Server[] },
): Promise<Haproxy> {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, 'admin.sock');
  let text = readFileSync(join(CONFIG, example), 'utf8');
  const put = (from: string, to: string): void => {
    if (!text.includes(from)) throw new Error(`${example} does not say ${from}`);
    text = text.replaceAll(from, to);
  };
  put('/run/haproxy/keygate.sock', socket);
  put('bind :4317', `bind 127.0.0.1:${ports.grpc}`);
  put('bind :4318', `bind 127.0.0.1:${ports.http}`);
  for (const [index, { grpc, http, ops }] of servers.entries()) {
    put(`gateway-${index}:4317`, `127.0.0.1:${grpc} port ${ops}`);
    put(`gateway-${index}:4318`, `127.0.0.1:${http} port ${ops}`);
  }
  const file = join(directory, 'haproxy.cfg');
  await writeFile(file, text);

  const running = startProgram(t, [program, '-db', '-f', file]);

  async function statesOf(gateway: number): Promise<readonly string[]> {
    const answer = await ask(socket, 'show stat').catch(() => '');
    return answer
      .split('\n')
      .map((line) => line.split(','))
      .filter((columns) => columns[NAME_AT] === `gateway-${gateway}`)
      .map((columns) => `${columns[STATUS_AT]} ${columns[CHECK_AT]}`);
  }

  return {
    grpcUrl: `http://127.0.0.1:${ports.grpc}`,
    httpUrl: `http://127.0.0.1:${ports.http}`,
    sees: (gateway, state) =>
      running.until(
        `HAProxy (${example}) finds gateway ${gateway} ${state}`,
        async () => {
          const states = await statesOf(gateway);
          return (
            states.length === 2 &&
            states.every((each) => (state === 'up' ? each === 'UP L7OK' : each.startsWith('DOWN')))
          );
        },
        CHECKED_WITHIN_MS,
      ),
  };
}

async function ask(path: string, command: string): Promise<string> {
  const socket = connect(path);
  socket.end(`${command}\n`);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
