import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKeyText } from '../../../src/credential/key-text.ts';
import { startCollector } from '../../support/collector.ts';
import { startKeygateProcess } from '../../support/keygate-process.ts';
import type { KeygateProcess } from '../../support/keygate-process.ts';
import { startRedis } from '../../support/redis.ts';
import { runHere } from '../../support/run-cli.ts';
import type { Scope } from '../../support/scope.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createCertificate } from '../../support/tls.ts';
import { startSending } from '../sending.ts';
import type { Sending } from '../sending.ts';

const DAY_MS = 24 * 3_600_000;
/** Until rates, and those of "the hour before", are there. */
const QUIET_MS = 100_000;

/** Two gateways with one Redis and one collector, and what happens to them. */
export interface Incident {
  /** host:port of metrics, by the gateway's name. */
  readonly gateways: Readonly<Record<string, string>>;
  /** Everything is well for as long as it takes to be compared with. */
  quiet(): Promise<void>;
  /** Somebody deletes a key that is in use; others come with half a key, with none, and with one after the other that nobody made. */
  spike(): Promise<void>;
  /** The flood ends; the collector is away for a while, then Redis hangs while known keys and new ones are sent. */
  outages(): Promise<void>;
}

export async function openIncident(scope: Scope): Promise<Incident> {
  const place = await temporaryDirectory(scope);
  const redis = await startRedis();
  scope.after(() => redis.stop());
  let collector = await startCollector(scope);
  const { grpcUrl, httpUrl } = collector;
  const certificate = await createCertificate(scope, new Date(Date.now() + 61 * DAY_MS));
  const start = (name: string, listen: object = {}): Promise<KeygateProcess> =>
    startKeygateProcess(scope, {
      upstream: { grpc: grpcUrl, http: httpUrl },
      store: { redis: { url: redis.url } },
      replica: { name },
      // What takes minutes as a rule takes seconds here.
      canary: { interval: '5s' },
      usage: { interval: '2s' },
      cache: {
        freshFor: '2s',
        snapshot: { path: join(place, name), secret: 'of the snapshots of this picture', interval: '5s' },
      },
      ...listen,
    });
  const one = await start('gateway-1');
  const two = await start('gateway-2', {
    listen: {
      grpc: { address: '127.0.0.1:0' },
      http: { address: '127.0.0.1:0', tls: { cert: certificate.certPath, key: certificate.keyPath } },
    },
  });

  async function cli(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runHere(args, {
      KEYGATE_STORE_REDIS_URL: redis.url,
      KEYGATE_STORE_REDIS_COMMAND_TIMEOUT: '1s',
    });
    assert.equal(code, 0, `keygate ${args.join(' ')}: ${stderr}`);
    return stdout;
  }
  async function createKey(name: string, ...flags: string[]): Promise<{ readonly id: string; readonly key: string }> {
    const made = await cli('ingestion-api-key', 'create', '--name', name, '-o', 'json', ...flags);
    const { apiKey, id } =
      (JSON.parse(made) as Record<string, { apiKey: string; id: number }>)['ingestion-api-key'] ?? {};
    assert.ok(apiKey !== undefined && id !== undefined, made);
    return { id: String(id), key: apiKey };
  }
  const send = (to: KeygateProcess, sending: Sending): (() => void) => startSending(scope, to.addresses.grpc, sending);
  /** Up and down, as people come and go. */
  const about = (perSecond: number, periodSeconds: number) => (): number =>
    perSecond * (1 + 0.2 * Math.sin((Date.now() / 1_000 / periodSeconds) * 2 * Math.PI));
  const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);

  const [checkout, edge, agents, nightly, payments] = [
    await createKey('checkout-eu'),
    await createKey('edge'),
    await createKey('kubernetes-agents'),
    await createKey('nightly-batch', '--expiration', inDays(5)),
    await createKey('payments'),
  ];
  let stopFlood: (() => void) | undefined;

  return {
    gateways: { 'gateway-1:9464': one.addresses.ops, 'gateway-2:9464': two.addresses.ops },
    async quiet() {
      const collectorOf = 'otelcol-contrib/0.159.0';
      send(one, {
        from: '127.0.0.11',
        program: 'OTel-OTLP-Exporter-Go/1.40.0',
        key: () => checkout.key,
        perSecond: about(70, 90),
        bytes: 1_800,
      });
      send(two, {
        from: '127.0.0.12',
        program: collectorOf,
        key: () => edge.key,
        perSecond: about(45, 70),
        bytes: 9_000,
      });
      send(one, {
        from: '127.0.0.12',
        program: collectorOf,
        key: () => edge.key,
        perSecond: about(25, 60),
        signal: 'logs',
        bytes: 4_000,
      });
      send(two, {
        from: '127.0.0.21',
        program: collectorOf,
        key: () => agents.key,
        perSecond: about(30, 110),
        signal: 'metrics',
        bytes: 12_000,
      });
      send(one, {
        from: '127.0.0.13',
        program: 'OTel-OTLP-Exporter-Java/1.58.0',
        key: () => payments.key,
        perSecond: 12,
        bytes: 1_200,
      });
      const stopNightly = send(two, {
        from: '127.0.0.31',
        program: 'OTel-OTLP-Exporter-Python/1.39.0',
        key: () => nightly.key,
        perSecond: 4,
        bytes: 600,
      });
      await delay(QUIET_MS);
      stopNightly();
    },
    async spike() {
      await cli('ingestion-api-key', 'delete', '--id', payments.id, '--force');
      await delay(15_000);
      const half = checkout.key.slice(0, -9);
      send(two, { from: '127.0.0.14', program: 'OTel-OTLP-Exporter-Python/1.39.0', key: () => half, perSecond: 3 });
      const stranger = createKeyText('ingestion');
      send(one, { from: '127.0.0.15', program: 'otelcol/0.98.0', key: () => stranger, perSecond: 1 });
      send(one, { from: '127.0.0.16', program: 'zgrab/0.x', key: () => '', perSecond: 0.5 });
      await delay(10_000);
      stopFlood = send(one, {
        from: '127.0.0.66',
        program: 'python-requests/2.32',
        key: () => createKeyText('ingestion'),
        perSecond: 60,
      });
      await delay(30_000);
    },
    async outages() {
      stopFlood?.();
      await delay(15_000);
      await collector.close();
      await delay(15_000);
      const portOf = (url: string): number => Number(new URL(url).port);
      collector = await startCollector(scope, { ports: { grpc: portOf(grpcUrl), http: portOf(httpUrl) } });
      await delay(30_000);
      redis.freeze();
      const stopNew = send(two, {
        from: '127.0.0.40',
        program: 'otelcol-contrib/0.159.0',
        key: () => createKeyText('ingestion'),
        perSecond: 6,
      });
      await delay(25_000);
      redis.thaw();
      await delay(5_000);
      stopNew();
      await delay(25_000);
    },
  };
}
