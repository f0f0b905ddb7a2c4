import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { startCollector } from '../support/collector.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { placeAll } from '../support/place-file.ts';
import { randomPort } from '../support/ports.ts';
import type { Scope } from '../support/scope.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';
import type { DashboardWatch } from './dashboard.ts';
import { operatorOf, repeat } from './gateways.ts';
import type { TestPrometheus } from './prometheus.ts';
import type { Runbooks } from './runbooks.ts';
import type { Watch } from './watch.ts';

const DAY = 24 * 3_600_000;
const MAX_CONNECTIONS = 50;

/** A gateway with TLS and two workers that always comes back under the same address. */
export interface SecureGateway {
  readonly ops: string;
  /** A service token that may do everything. */
  createToken(): Promise<string>;
  /** The process that there is now. */
  current(): KeygateProcess;
  /** The file of its certificate. */
  certificate(): string;
  /** As the kernel does when memory runs out. */
  killWorker(): void;
  /** Ends it, with a request to finish that is over when this is. */
  stop(whileDraining?: () => Promise<void>): Promise<void>;
  /** Starts it again with a certificate that ends in so many days. */
  start(days: number): Promise<void>;
  /** Has a certificate take the place of the one that it shows, which it notices; one without its key, if it is to be refused. */
  renew(days: number, withKey?: boolean): Promise<void>;
}

export async function openSecureGateway(scope: Scope): Promise<SecureGateway> {
  const ops = `127.0.0.1:${randomPort()}`;
  const { grpcUrl, httpUrl } = await startCollector(scope);
  const mount = await temporaryDirectory(scope);
  const keys = join(await temporaryDirectory(scope), 'keys.db');
  let current: KeygateProcess | undefined;
  async function renew(days: number, withKey = true): Promise<void> {
    const { cert, key } = await createCertificate(scope, new Date(Date.now() + days * DAY));
    const other = withKey ? key : (await createCertificate(scope)).key;
    await placeAll(mount, { 'tls.crt': cert, 'tls.key': other });
  }
  async function start(days: number): Promise<void> {
    await renew(days);
    const port = { address: '127.0.0.1:0', tls: { cert: join(mount, 'tls.crt'), key: join(mount, 'tls.key') } };
    current = await startKeygateProcess(scope, {
      listen: { grpc: port, http: port },
      ops: { address: ops },
      upstream: { grpc: grpcUrl, http: httpUrl },
      workers: 2,
      store: { sqlite: { path: keys } },
      limits: { maxConnections: MAX_CONNECTIONS },
    });
  }
  await start(90);
  return {
    ops,
    createToken: operatorOf({ KEYGATE_STORE_SQLITE_PATH: keys }).createToken,
    killWorker() {
      const [worker] = current?.workers() ?? [];
      assert.ok(worker !== undefined);
      process.kill(worker, 'SIGKILL');
    },
    current() {
      assert.ok(current !== undefined);
      return current;
    },
    certificate: () => join(mount, 'tls.crt'),
    start,
    renew,
    async stop(whileDraining) {
      if (current === undefined) return;
      const unfinished = await beginRequest(current);
      current.signal('SIGTERM');
      await whileDraining?.();
      unfinished.destroy();
      await current.exited;
    },
  };
}

/** A request whose body does not come: the gateway waits for it before it ends. */
async function beginRequest({ addresses, key, metric }: KeygateProcess): Promise<tls.TLSSocket> {
  const port = Number(addresses.http.split(':').at(-1));
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => {}); // it is cut off in the end
  socket.resume();
  await once(socket, 'secureConnect');
  const type = 'Content-Type: application/x-protobuf\r\nContent-Length: 1000';
  socket.write(`POST /v1/traces HTTP/1.1\r\nHost: keygate\r\nX-API-Key: ${key}\r\n${type}\r\n\r\n`);
  await until('the request has begun', async () => (await metric('keygate_requests_in_flight')) > 0);
  return socket;
}

/**
 * One of its workers is killed. Then it ends and comes back with a certificate that ends soon; then it gets one that it refuses, and
 * at last a good one.
 */
export async function onSecureGateway(
  { ops, current, killWorker, start, stop, renew }: SecureGateway,
  watch: Watch,
  runbooks: Runbooks,
  prometheus: TestPrometheus,
  dashboard: DashboardWatch,
): Promise<void> {
  killWorker();
  await watch.fires('KeygateWorkerCrashes', { instance: ops, why: 'killed' });
  await runbooks.follow('KeygateWorkerCrashes');
  await watch.clears('KeygateWorkerCrashes', { instance: ops });
  const isDraining = async (): Promise<boolean> => (await prometheus.query('keygate_draining == 1')).length > 0;
  await stop(async () => {
    await until('Prometheus sees it drain', isDraining, 10_000);
    await dashboard.look();
  });
  await watch.fires('KeygateDown', { instance: ops });
  await runbooks.follow('KeygateDown');
  await start(5);
  await watch.clears('KeygateDown', { instance: ops });
  await watch.fires('KeygateCertificateExpires', { instance: ops, use: 'grpc' });
  assert.match(await runbooks.follow('KeygateCertificateExpires'), /notAfter=/);
  await renew(90, false);
  await watch.fires('KeygateConfigRefused', { instance: ops });
  const faults = await runbooks.follow('KeygateConfigRefused', { at: { keygate: current() }, findsFaults: true });
  assert.match(faults, /fault[\s\S]*listen\.grpc\.tls/);
  await renew(90);
  await watch.clears('KeygateConfigRefused', { instance: ops });
  await watch.clears('KeygateCertificateExpires', { instance: ops });
  // Between two scrapes: the dashboard marks that it was started.
  await stop();
  await start(90);
}

/** Somebody speaks no TLS to a port that does, and somebody else opens more connections than there may be. */
export async function withTooManyConnections(
  scope: Scope,
  { ops, createToken, current }: SecureGateway,
  watch: Watch,
  runbooks: Runbooks,
): Promise<void> {
  const keygate = current();
  const connect = (address: string): net.Socket => {
    const socket = net.connect(Number(address.split(':').at(-1)), '127.0.0.1');
    socket.on('error', () => {}); // it is turned away
    return socket.resume();
  };
  const plain = repeat(scope, 200, async () => {
    const socket = connect(keygate.addresses.grpc);
    socket.write('POST /v1/traces HTTP/1.1\r\nHost: keygate\r\nContent-Length: 0\r\n\r\n');
    await once(socket, 'close');
  });
  let crowd: net.Socket[] = [];
  const crowding = repeat(scope, 1_000, async () => {
    crowd = crowd.filter(({ destroyed }) => !destroyed);
    while (crowd.length < MAX_CONNECTIONS + 5) crowd.push(connect(keygate.addresses.http));
  });
  const handshake = { instance: ops, port: 'grpc', cause: 'handshake' };
  const limit = { instance: ops, port: 'http', cause: 'limit' };
  await Promise.all([
    watch.fires('KeygateConnectionsTurnedAway', handshake),
    watch.fires('KeygateConnectionsTurnedAway', limit),
  ]);
  const said = await runbooks.follow('KeygateConnectionsTurnedAway', { at: { keygate, token: await createToken() } });
  assert.match(said, /notAfter=[\s\S]*handshake 127\.0\.0\.1 http request/);
  assert.match(said, /limit 127\.0\.0\.1/);
  await plain.stop();
  await crowding.stop();
  for (const socket of crowd) socket.destroy();
  await watch.clears('KeygateConnectionsTurnedAway');
}
