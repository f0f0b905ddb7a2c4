import * as net from 'node:net';
import { attacks } from './attacks.ts';
import type { Attack } from './attacks.ts';

/** A process of its own: `attacker <name> <grpc port> <http port> <key> <seconds>`. At its end it says what it came to. */
const [name = '', grpc, http, key = '', seconds] = process.argv.slice(2);
const attack = attacks(key)[name] as Attack;
const port = Number(attack.port === 'grpc' ? grpc : http);
const endsAt = performance.now() + Number(seconds) * 1_000;
const RETURN_MS = 50;

let sentBytes = 0;
let connections = 0;
/** How long each connection was let live. */
const lives: number[] = [];

function begin(): void {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
  const bornAt = performance.now();
  connections += 1;
  let n = 0;
  const write = (bytes: Buffer): boolean => {
    sentBytes += bytes.length;
    return socket.write(bytes);
  };
  const goOn = (): void => {
    while (attack.round !== undefined && socket.writable && performance.now() < endsAt) {
      const isTaken = write(attack.round(n, key));
      n += 1;
      if (attack.everyMs !== undefined) {
        setTimeout(goOn, attack.everyMs);
        return;
      }
      if (!isTaken) return void socket.once('drain', goOn);
      if (n % 20 === 0) return void setImmediate(goOn);
    }
  };
  socket.on('error', () => {});
  if (attack.reads) socket.resume();
  socket.on('connect', () => {
    if (attack.opening.length > 0) write(attack.opening);
    goOn();
  });
  socket.on('close', () => {
    lives.push(performance.now() - bornAt);
    if (attack.returns && performance.now() < endsAt) setTimeout(begin, RETURN_MS);
  });
}

for (let i = 0; i < attack.connections; i++) begin();
setTimeout(
  () => {
    console.log(JSON.stringify({ sentBytes, connections, ended: lives.length, longestLifeMs: Math.max(0, ...lives) }));
    process.exit();
  },
  Number(seconds) * 1_000,
);
