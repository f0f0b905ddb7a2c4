import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKeyText } from '../../src/credential/key-text.ts';
import { debianProgram } from '../conformance/toolchain.ts';
import { aDirectory, openPlace } from '../pages/place.ts';
import { Cleanups } from '../support/scope.ts';
import { until } from '../support/wait.ts';
import { startSending } from './sending.ts';
import type { Sending } from './sending.ts';
import { toSvg } from './terminal-svg.ts';

/**
 * `npm run pictures`: a real gateway with good senders, one whose key somebody has deleted, one with half a key, and a flood of keys that
 * nobody made; `keygate top` watches it in a terminal of tmux, and docs/pictures/top.svg is what that terminal shows.
 */
const PICTURES = join(import.meta.dirname, '../../docs/pictures');
const KEYGATE = join(import.meta.dirname, '../../bin/keygate');
/** Room for five sources, below numbers in two lines. */
const [COLUMNS, LINES] = [132, 11];
const FLOOD_MS = 12_000;

const tmux = debianProgram('tmux');
const scope = new Cleanups();

const send = (address: string, sending: Sending): unknown => startSending(scope, address, sending);

try {
  const place = await openPlace(scope, { sqlite: { path: join(aDirectory(scope), 'keys.db') } });
  const { grpc, admin } = place.keygate.addresses;
  const [payments, checkout, edge] = [
    await place.createKey('payments'),
    await place.createKey('checkout'),
    await place.createKey('edge'),
  ];
  send(grpc, { from: '127.0.0.11', program: 'OTel-OTLP-Exporter-Go/1.40.0', key: () => checkout.key, perSecond: 200 });
  send(grpc, { from: '127.0.0.12', program: 'otelcol-contrib/0.159.0', key: () => edge.key, perSecond: 200 });
  send(grpc, { from: '127.0.0.13', program: 'otelcol-contrib/0.159.0', key: () => payments.key, perSecond: 20 });
  await delay(2_000);
  await place.cli('ingestion-api-key', 'delete', '--id', payments.id, '--force');
  const cut = checkout.key.slice(0, -9);
  send(grpc, { from: '127.0.0.14', program: 'OTel-OTLP-Exporter-Python/1.39.0', key: () => cut, perSecond: 2 });
  const stranger = createKeyText('ingestion');
  send(grpc, { from: '127.0.0.15', program: 'otelcol/0.98.0', key: () => stranger, perSecond: 1 });
  send(grpc, { from: '127.0.0.16', program: 'zgrab/0.x', key: () => '', perSecond: 1 });
  send(grpc, { from: '127.0.0.66', program: 'python-requests/2.32', key: () => createKeyText('ingestion'), atOnce: 8 });

  const token = await place.createToken('viewer');
  const run = (...args: string[]): string =>
    execFileSync(tmux, ['-L', `keygate-${process.pid}`, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  scope.after(() => run('kill-server'));
  const size = ['-x', String(COLUMNS), '-y', String(LINES)];
  const env = ['-e', `KEYGATE_URL=http://${admin}`, '-e', `KEYGATE_SERVICE_TOKEN=${token}`, '-e', 'TERM=tmux-256color'];
  run('new-session', '-d', ...size, ...env, `PATH=${process.env['PATH'] ?? ''} ${KEYGATE} top`);
  await delay(FLOOD_MS);
  let screen = '';
  const isWhole = (): boolean => {
    screen = run('capture-pane', '-e', '-p');
    return /a second/.test(screen) && /payments/.test(screen) && /127\.0\.0\.14/.test(screen);
  };
  await until('keygate top shows who is refused', isWhole, 20_000).catch((error: unknown) => {
    throw new Error(screen, { cause: error });
  });
  mkdirSync(PICTURES, { recursive: true });
  writeFileSync(join(PICTURES, 'top.svg'), toSvg(screen, COLUMNS));
  console.log(screen);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await scope.run();
}
