import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * A process of its own: `refused-flood <http port> <key> <user agent> <requests a second> <seconds>`. One sender that is refused, over
 * some connections, as fast as it is told or as it is answered. At its end it says what it came to.
 */
const [port, key, userAgent, perSecond, seconds] = process.argv.slice(2);
const CONNECTIONS = 4;
const TICK_MS = 10;
/** Of one connection. More than this unanswered, and it waits: the gateway is as fast as it is. */
const MAX_UNANSWERED = 500;
const ANSWER_MS = 10_000;
const REFUSED = Buffer.from('HTTP/1.1 403 ');

const request = Buffer.from(
  [
    'POST /v1/traces HTTP/1.1',
    'Host: gateway',
    'Content-Type: application/x-protobuf',
    `User-Agent: ${userAgent}`,
    `X-API-Key: ${key}`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n'),
);

interface Lane {
  readonly socket: net.Socket;
  sent: number;
  refused: number;
}

function open(): Lane {
  const lane: Lane = {
    socket: net.connect({ host: '127.0.0.1', port: Number(port), noDelay: true }),
    sent: 0,
    refused: 0,
  };
  let rest: Buffer = Buffer.alloc(0);
  lane.socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let end = 0;
    for (let at = bytes.indexOf(REFUSED); at !== -1; at = bytes.indexOf(REFUSED, end)) {
      lane.refused += 1;
      end = at + REFUSED.length;
    }
    rest = bytes.subarray(Math.max(end, bytes.length - REFUSED.length + 1));
  });
  lane.socket.on('error', (error) => {
    throw error; // nobody throws it out: it is only refused
  });
  return lane;
}

const lanes = Array.from({ length: CONNECTIONS }, open);
const sum = (of: (lane: Lane) => number): number => lanes.reduce((total, lane) => total + of(lane), 0);
const startedAt = performance.now();
const passedS = (): number => (performance.now() - startedAt) / 1_000;
const takes = (lane: Lane): number => MAX_UNANSWERED - (lane.sent - lane.refused);

while (passedS() < Number(seconds)) {
  let due = Math.floor(passedS() * Number(perSecond)) - sum(({ sent }) => sent);
  for (const lane of lanes) {
    const count = Math.max(0, Math.min(Math.ceil(due / CONNECTIONS), takes(lane)));
    if (count > 0) lane.socket.write(Buffer.concat(Array.from({ length: count }, () => request)));
    lane.sent += count;
    due -= count;
  }
  await delay(TICK_MS);
}
const floodedS = passedS();
const isAnswered = (): boolean => lanes.every(({ sent, refused }) => sent === refused);
for (const until = performance.now() + ANSWER_MS; !isAnswered() && performance.now() < until;) await delay(TICK_MS);
process.stdout.write(
  `${JSON.stringify({ sent: sum(({ sent }) => sent), refused: sum(({ refused }) => refused), seconds: floodedS })}\n`,
);
process.exit();
