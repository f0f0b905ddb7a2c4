import { z } from 'zod';
import { duration } from './units.ts';
import { inputFile, label, secret, serverAddress } from './values.ts';

const login = (whose: string) =>
  z
    .string()
    .min(1, 'must not be empty')
    .nullable()
    .default(null)
    .describe(`The ACL user ${whose}. null: Redis’ own, called default.`);

const password = (whose: string) =>
  secret.nullable().default(null).describe(`The password ${whose}. null: none is sent.`);

const servers = z.array(serverAddress).max(32).default([]);

/** Where keys are shared by several gateways: one Redis, one found by its Sentinels, or a Cluster. */
export const redis = z
  .strictObject({
    url: secret
      .regex(/^rediss?:\/\/\S+$/, 'must be redis://[user:password@]host:port[/db], or rediss:// for TLS')
      .nullable()
      .default(null)
      .describe('Where Redis is, if it is one server. Set this, or sentinels, or nodes.')
      .meta({
        form: '`redis://[user:password@]host:port[/db]`, or `rediss://` for TLS',
        examples: ['redis://keygate:password@redis:6379/0'],
      }),
    sentinels: servers.describe(
      'All Sentinels that watch over Redis: they say which server is the primary, and again after each failover. Most ' +
        'of them have to answer.',
    ),
    master: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be the name in the Sentinels’ configuration, such as mymaster')
      .nullable()
      .default(null)
      .describe('The name that the Sentinels know the primary by.')
      .meta({ examples: ['mymaster'] }),
    nodes: servers.describe('Some nodes of a Redis Cluster, three or more; the others are asked of them.'),
    user: login('of Redis'),
    password: password('of Redis; not needed where the URL has it'),
    sentinelUser: login('of the Sentinels'),
    sentinelPassword: password('of the Sentinels, who do not share that of Redis'),
    database: z
      .int()
      .min(0)
      .max(1_000)
      .default(0)
      .describe('The number of the database, where the URL does not say it. A Cluster has 0 only.'),
    tls: z
      .boolean()
      .default(false)
      .describe('Speak TLS with Redis and with Sentinels. With a URL, write rediss:// instead.'),
    ca: inputFile
      .nullable()
      .default(null)
      .describe('PEM file of the authorities that may sign the certificates of Redis. null: the system’s.'),
    cert: inputFile.nullable().default(null).describe('PEM file with the client certificate that Redis asks for.'),
    key: inputFile.nullable().default(null).describe('PEM file with the private key of that certificate.'),
    prefix: label
      .default('keygate')
      .describe('Everything Keygate writes begins with this name in braces, so that gateways can share one Redis.'),
    connectTimeout: duration('50ms', '30s').prefault('2s').describe('The longest a connection attempt may take.'),
    commandTimeout: duration('10ms', '5s')
      .prefault('100ms')
      .describe('The longest a lookup may take; after that the sender gets 503 and retries.'),
    socketTimeout: duration('100ms', '1m')
      .prefault('1s')
      .describe('A connection that is silent this long while an answer is due is replaced.'),
    minReplicas: z
      .int()
      .min(0)
      .max(16)
      .default(0)
      .describe(
        'How many replicas have to confirm a change before it counts as made. With 0, a failover right after a change can ' +
          'lose it.',
      ),
  })
  .nullable()
  .default(null)
  .describe('Keys in Redis, shared by all gateways that use it. Takes the place of sqlite.');
