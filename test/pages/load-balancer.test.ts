import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Client, Metadata, credentials } from '@grpc/grpc-js';
import { debianProgram } from '../conformance/toolchain.ts';
import { EMPTY_MESSAGE, startCollector } from '../support/collector.ts';
import { TRACES_PATH } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { randomPort } from '../support/ports.ts';
import { startProgram } from '../support/program.ts';
import type { Program } from '../support/program.ts';
import { blocksOf } from '../support/runbook.ts';
import { aDirectory } from './place.ts';

const NGINX_STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so';
const nginx = debianProgram('nginx', 'libnginx-mod-stream');

/** Before one of them is stopped, and after it has ended. */
const SENT = 50;

/** The configuration of the page, with its names leading to two gateways here. */
function configFor(gateways: readonly KeygateProcess[], ports: { grpc: number; http: number }): string {
  const [block, ...others] = blocksOf('docs/load-balancer.md').filter((each) => each.language === 'nginx');
  assert.ok(block !== undefined && others.length === 0);
  let text = block.text.replaceAll(/listen (4317|4318)/g, (_all, port: string) => {
    return `listen 127.0.0.1:${port === '4317' ? ports.grpc : ports.http}`;
  });
  for (const [index, { addresses }] of gateways.entries()) {
    text = text.replaceAll(`gateway-${index}:4317`, addresses.grpc).replaceAll(`gateway-${index}:4318`, addresses.http);
  }
  assert.doesNotMatch(text, /gateway-\d:/);
  return text;
}

/** In the foreground. */
function startNginx(t: TestContext, directory: string, config: string): Program {
  const file = join(directory, 'nginx.conf');
  const module = existsSync(NGINX_STREAM) ? `load_module ${NGINX_STREAM};\n` : '';
  const here = `daemon off;\npid ${directory}/nginx.pid;\nerror_log ${directory}/error.log;\n`;
  writeFileSync(file, `${module}${here}${config}`);
  const command = [nginx, '-c', file, '-p', directory, '-e', join(directory, 'error.log')] as const;
  return startProgram(t, command, { end: 'SIGTERM' }); // it ends its workers only so
}

/** A gRPC client as exporters have it, which connects again by itself. */
function grpcSender(t: TestContext, port: number, key: string): () => Promise<void> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  t.after(() => client.close());
  const metadata = new Metadata();
  metadata.set('x-api-key', key);
  const asIs = (bytes: Buffer): Buffer => bytes;
  return () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(TRACES_PATH, asIs, asIs, EMPTY_MESSAGE, metadata, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
}

test('docs/load-balancer.md, nginx: while one of two gateways is stopped, senders on both ports notice nothing', async (t) => {
  const collector = await startCollector(t);
  const upstream = { grpc: collector.grpcUrl, http: collector.httpUrl };
  const gateways = [await startKeygateProcess(t, { upstream }), await startKeygateProcess(t, { upstream })];
  const [first] = gateways;
  assert.ok(first !== undefined);
  const ports = { grpc: randomPort(), http: randomPort() };
  const running = startNginx(t, aDirectory(t), configFor(gateways, ports));

  const overGrpc = grpcSender(t, ports.grpc, first.key);
  const overHttp = async (): Promise<number> =>
    (await callHttp(`http://127.0.0.1:${ports.http}`, { headers: { 'x-api-key': first.key } })).status;
  await running.until('it passes requests on', () =>
    overHttp().then(
      (status) => status === 200,
      () => false,
    ),
  );
  const failures: unknown[] = [];
  const send = async (): Promise<void> => {
    await overGrpc().catch((error: unknown) => failures.push(error));
    await overHttp().then(
      (status) => status === 200 || failures.push(status),
      (error: unknown) => failures.push(error),
    );
  };
  for (let n = 0; n < SENT; n++) await send();
  const ended = new AbortController();
  void first.exited.then(() => ended.abort());
  first.signal('SIGTERM');
  while (!ended.signal.aborted) await send();
  for (let n = 0; n < SENT; n++) await send();
  assert.deepEqual(failures, []);
  assert.ok(collector.arrivals.length > 4 * SENT);
});
