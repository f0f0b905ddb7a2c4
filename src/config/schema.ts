import { z } from 'zod';
import { admin } from './admin-section.ts';
import { authz } from './authz-section.ts';
import { keys } from './keys-section.ts';
import { log } from './log-section.ts';
import { redis } from './redis-section.ts';
import { routes } from './routes-section.ts';
import { serverTls } from './server-tls.ts';
import { canary, replica } from './replica-section.ts';
import { snapshot } from './snapshot-section.ts';
import { workers } from './workers-section.ts';
import { duration, size } from './units.ts';
import { address, filePath, inputFile, target, webOrigin } from './values.ts';

/**
 * Every option of Keygate: its name, its type and bounds, its default, and what it is for. The annotated
 * config/keygate.yaml, docs/config.md, the editor schema and the environment names all derive from this declaration.
 */

const tls = serverTls({
  about:
    'TLS 1.2 or newer, with ALPN h2 and http/1.1. Without it the port speaks plaintext, which the gRPC exporter of ' +
    'an OpenTelemetry Collector refuses when it uses bearertokenauth.',
  without: 'A client without one is still served.',
});

const listen = z
  .strictObject({
    grpc: z
      .strictObject({
        address: address.default('0.0.0.0:4317').describe('Where OTLP/gRPC is taken.'),
        tls,
      })
      .prefault({})
      .describe('The port for OTLP/gRPC.'),
    http: z
      .strictObject({
        address: address.default('0.0.0.0:4318').describe('Where OTLP/HTTP is taken.'),
        tls,
      })
      .prefault({})
      .describe('The port for OTLP/HTTP.'),
  })
  .prefault({})
  .describe('The ports that senders use. Each recognises HTTP/1.1 and HTTP/2.');

const ops = z
  .strictObject({
    address: address
      .default('0.0.0.0:9464')
      .describe('Where /metrics, /livez and /readyz are served. They never need a key.'),
    keySeries: z
      .int()
      .min(0)
      .max(100_000)
      .default(1_000)
      .describe('How many keys have metrics of their own; what the others send is added up as "other".'),
    refusedSources: z
      .int()
      .min(0)
      .max(100)
      .default(10)
      .describe(
        'How many of the senders that are refused most are told in the metrics, with their addresses and key ids. 0: none.',
      ),
  })
  .prefault({})
  .describe('Metrics and health.');

const upstream = z
  .strictObject({
    grpc: target
      .nullable()
      .default(null)
      .describe(
        'The collector that OTLP/gRPC goes to, such as http://collector:4317. null: this protocol is not relayed.',
      )
      .meta({ reloads: 'unless null' }),
    http: target
      .nullable()
      .default(null)
      .describe(
        'The collector that OTLP/HTTP goes to, such as http://collector:4318. null: this protocol is not relayed.',
      )
      .meta({ reloads: 'unless null' }),
    tls: z
      .strictObject({
        ca: inputFile
          .nullable()
          .default(null)
          .describe('PEM file of the authorities that may sign the collector’s certificate. null: the system’s.'),
        cert: inputFile
          .nullable()
          .default(null)
          .describe('PEM file with the client certificate that the collector asks for.'),
        key: inputFile.nullable().default(null).describe('PEM file with the private key of that certificate.'),
      })
      .prefault({})
      .describe('How https:// collectors are spoken to.'),
    timeout: duration('100ms', '10m')
      .prefault('30s')
      .describe('The longest a request may wait for the collector. A client’s own shorter deadline wins.'),
    connectTimeout: duration('100ms', '1m')
      .prefault('2s')
      .describe('With plane: wire. The longest it may take to connect to an address of a collector.'),
    connections: z
      .int()
      .min(1)
      .max(64)
      .default(2)
      .describe('With plane: wire. How many HTTP/2 connections are kept to each address of a collector.'),
    resolveInterval: duration('1s', '1h')
      .prefault('30s')
      .describe(
        'With plane: wire. How often the names of collectors are resolved anew. Requests go to all addresses in turn, ' +
          'but to none that fails while others answer.',
      ),
  })
  .prefault({})
  .describe('The collector behind the gateway. Set at least one of grpc and http.')
  .meta({ reloads: 'yes' });

const plane = z
  .enum(['wire', 'library'])
  .default('wire')
  .describe(
    'What carries requests. wire: Keygate’s own HTTP/1.1 and HTTP/2, which read the head of a request and pass the rest on ' +
      'as it came. library: Node’s servers, grpc-js and http-proxy; many times slower, to fall back to.',
  );

const store = z
  .strictObject({
    redis,
    sqlite: z
      .strictObject({
        path: filePath.default('./data/keygate.db').describe('The database file; it is created if it is not there.'),
      })
      .prefault({})
      .describe('Keys in a file: what is used unless redis is set. Good for one machine.'),
    tombstones: duration('1h', '365d')
      .prefault('30d')
      .describe('How long revoked and expired keys are remembered, so that their senders are told which it was.'),
  })
  .prefault({})
  .describe('Where keys are kept.');

const cors = z
  .strictObject({
    origins: z
      .array(webOrigin)
      .max(100)
      .default([])
      .describe(
        'Web origins whose pages may send over OTLP/HTTP, exactly as browsers write them, or * for all. Empty: none. ' +
          'Keys can be limited to some of them.',
      ),
    maxAge: duration('0s', '24h')
      .prefault('1h')
      .describe('How long a browser may remember that a page may send, before it asks again.'),
  })
  .prefault({})
  .describe('What browsers let pages of other web origins do: send with a key, and read why it was refused.')
  .meta({ reloads: 'yes' });

const cache = z
  .strictObject({
    maxKeys: z.int().min(100).max(10_000_000).default(100_000).describe('How many known keys are remembered, by each worker.'),
    maxUnknown: z
      .int()
      .min(100)
      .max(10_000_000)
      .default(10_000)
      .describe('How many unknown keys are remembered, apart from the known ones.'),
    freshFor: duration('1s', '1h')
      .prefault('10s')
      .describe(
        'Keys do not age while the change feed is being read. Without it, a key older than this is looked up again before ' +
          'it is answered, a busy one in the background at half that age. While the store is away, known keys go on ' +
          'being answered from memory.',
      ),
    staleFor: duration('0s', '24h')
      .prefault('1h')
      .describe('How long known keys are answered from memory while the store is away.'),
    unknownFor: duration('100ms', '1m')
      .prefault('5s')
      .describe('How long an unknown key is refused from memory. Creating it ends that at once.'),
    maxLookups: z
      .int()
      .min(1)
      .max(100_000)
      .default(1_000)
      .describe('How many store lookups may be under way at once, of all workers; above it senders get 503 and retry.'),
    maxUnknownLookups: z
      .int()
      .min(4)
      .max(100_000)
      .default(1_000)
      .describe(
        'How many lookups a second may find nothing, of all workers: a flood of random keys reaches the store no faster. One network ' +
          '(an IPv4 address, or an IPv6 /64) may use a quarter of it; above it senders of keys never seen get 503.',
      ),
    snapshot,
  })
  .prefault({})
  .describe('The in-process cache in front of the store.');

const usage = z
  .strictObject({
    interval: duration('0s', '10m')
      .prefault('10s')
      .describe(
        'How often it is written to the store which keys were used, how much and from where. What a gateway has not ' +
          'written yet, nobody else knows. 0s: not at all, so that no delete is refused for a key that is in use.',
      ),
  })
  .prefault({})
  .describe('What is known of the use of each key.');

const limits = z
  .strictObject({
    maxBody: size('1KiB', '1GiB')
      .prefault('64MiB')
      .describe('The largest request body, as sent (compressed).')
      .meta({ reloads: 'yes' }),
    maxHeaderBytes: size('1KiB', '256KiB').prefault('16KiB').describe('The largest request head.'),
    maxHeaders: z.int().min(16).max(1_000).default(100).describe('The most header fields of a request.'),
    headersTimeout: duration('100ms', '2m')
      .prefault('10s')
      .describe('The longest a connection may take to send a request head.'),
    bodyTimeout: duration('1s', '1h').prefault('2m').describe('The longest a request may take to send its body.'),
    idleTimeout: duration('1s', '24h')
      .prefault('5m')
      .describe('A connection without requests is closed after this; keep it above the senders’ export interval.'),
    maxConnections: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10_000)
      .describe('The most connections of each data port, and of each at which other proxies ask.')
      .meta({ reloads: 'yes' }),
    maxStreams: z
      .int()
      .min(1)
      .max(10_000)
      .default(250)
      .describe('The most concurrent requests of one HTTP/2 connection.'),
    maxHeld: size('1MiB', '64GiB')
      .prefault('256MiB')
      .describe(
        'What request bodies may hold in memory together, at all workers, while they wait for the collector; beyond it, those that wait ' +
          'are answered with 503 / UNAVAILABLE, and their senders keep them. With plane: wire.',
      )
      .meta({ reloads: 'yes' }),
    drainDelay: duration('0s', '10m')
      .prefault('5s')
      .describe(
        'After SIGTERM, how long /readyz is red before anything else: new connections are still taken and everything is ' +
          'served, until the last load balancer has noticed. Longer than its health check takes to fail.',
      )
      .meta({ reloads: 'yes' }),
    drainTimeout: duration('0s', '10m')
      .prefault('30s')
      .describe('How long requests in flight may take to finish after that.')
      .meta({ reloads: 'yes' }),
  })
  .prefault({})
  .describe('Bounds on what senders may use.');

export const configSchema = z.strictObject({ listen, workers, authz, admin, ops, upstream, plane, routes, store, keys, cors, cache, usage, replica, canary, limits, log });

/** A validated configuration: durations in milliseconds, sizes in bytes, nothing optional by accident. */
export type Config = z.output<typeof configSchema>;
