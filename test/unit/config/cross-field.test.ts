import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { generate } from 'selfsigned';
import { stringify } from 'yaml';
import { createKeyText } from '../../../src/credential/key-text.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { filesOf } from '../../support/config-files.ts';

const UPSTREAM = { grpc: 'http://collector:4317' };
const files: Record<string, string> = { '/ca.pem': 'authorities' };

before(async () => {
  for (const name of ['one', 'two']) {
    const pems = await generate([{ name: 'commonName', value: name }], { keySize: 2048 });
    files[`/${name}.crt`] = pems.cert;
    files[`/${name}.key`] = pems.private;
  }
});

function load(config: object, dev = false) {
  const readFile = filesOf({ ...files, 'keygate.yaml': stringify({ upstream: UPSTREAM, ...config }) });
  return loadConfig({ file: 'keygate.yaml', env: {}, readFile, dev });
}

function faultsOf(config: object): string[] {
  const result = load(config);
  return result.ok ? [] : result.faults.map(({ path, message }) => `${path} ${message}`);
}

test('a certificate and its key are taken', () => {
  const tls = { cert: '/one.crt', key: '/one.key', clientCa: '/ca.pem' };
  assert.deepEqual(faultsOf({ listen: { grpc: { tls }, http: { tls } } }), []);
});

test('a certificate that does not belong to its key is a fault', () => {
  assert.deepEqual(faultsOf({ listen: { grpc: { tls: { cert: '/one.crt', key: '/two.key' } } } }), [
    'listen.grpc.tls.cert must be a PEM certificate that belongs to the PEM private key in key; ' +
      'TLS says: key values mismatch',
  ]);
});

test('TLS of the ports for other proxies is judged as that of the data ports, and belongs to a port that is open', () => {
  const [tls, address] = [{ cert: '/one.crt', key: '/one.key', clientCa: '/ca.pem' }, '127.0.0.1:9191'];
  assert.deepEqual(faultsOf({ authz: { grpc: { address, tls }, http: { address: '127.0.0.1:9192', tls } } }), []);
  assert.match(
    faultsOf({ authz: { grpc: { address, tls: { cert: '/one.crt', key: '/two.key' } } } }).join(),
    /^authz\.grpc\.tls\.cert must be a PEM certificate that belongs/,
  );
  assert.deepEqual(faultsOf({ authz: { grpc: { address }, http: { tls } } }), [
    'authz.http.address must be set, because tls is',
  ]);
});

test('every file that is not there is named', () => {
  const config = {
    listen: { grpc: { tls: { cert: '/no.crt', key: '/no.key', clientCa: '/no.ca' } } },
    upstream: { ...UPSTREAM, tls: { ca: '/no.upstream' } },
    store: { redis: { url: 'rediss://redis:6379', ca: '/no.redis' } },
    keys: { receiverKeys: [{ name: 'a', keyFile: '/no.receiver' }] },
  };
  const message = 'must be a file that can be read: it does not exist';
  assert.deepEqual(faultsOf(config).toSorted(), [
    `keys.receiverKeys[0].keyFile ${message}`,
    `listen.grpc.tls.cert ${message}`,
    `listen.grpc.tls.clientCa ${message}`,
    `listen.grpc.tls.key ${message}`,
    `store.redis.ca ${message}`,
    `upstream.tls.ca ${message}`,
  ]);
});

test('a client certificate for the collector and its key are set together', () => {
  const upstreamWith = (tls: object) => ({ upstream: { grpc: 'https://collector:4317', tls } });
  assert.deepEqual(faultsOf(upstreamWith({ cert: '/one.crt', key: '/one.key' })), []);
  assert.deepEqual(faultsOf(upstreamWith({ cert: '/one.crt' })), ['upstream.tls.key must be set, because cert is']);
  assert.deepEqual(faultsOf(upstreamWith({ key: '/one.key' })), ['upstream.tls.cert must be set, because key is']);
});

test('a gateway needs an upstream for at least one protocol', () => {
  assert.deepEqual(faultsOf({ upstream: {} }), [
    'upstream must name the collector: set upstream.grpc, such as http://collector:4317, or upstream.http, or both',
  ]);
  assert.deepEqual(faultsOf({ upstream: { http: 'http://collector:4318' } }), []);
  assert.equal(load({ upstream: {} }, true).ok, true);
  assert.deepEqual(faultsOf({ upstream: {}, authz: { http: { address: '127.0.0.1:9192' } } }), [], 'others relay');
});

test('each route has a path of its own', () => {
  assert.deepEqual(faultsOf({ routes: { rum: { paths: ['/a', '/v1/traces'] }, remoteConfig: { paths: ['/b', '/a'] } } }), [
    'routes.rum.paths[1] must be a path of its own: /v1/traces is one of OTLP/HTTP',
    'routes.remoteConfig.paths[1] must be a path of its own: /a is one of routes.rum.paths',
  ]);
  for (const path of ['json/rum', '/', '/a/', '//a', '/a/../b', '/a/.', '/a%2fb', '/a?b', '/a b', '/ä', '']) {
    assert.match(faultsOf({ routes: { rum: { paths: [path] } } }).join(), /^routes.rum.paths\[0\] must be a path such as/, path);
  }
  assert.deepEqual(faultsOf({ routes: { rum: { paths: ['/a.b/..c/~d_-'] } } }), []);
});

test('each further gRPC method has a path of its own', () => {
  const traces = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
  assert.deepEqual(faultsOf({ routes: { grpc: { paths: ['/a.B/C', traces, '/a.B/C'] } } }), [
    `routes.grpc.paths[1] must be a path of its own: ${traces} is one of OTLP/gRPC`,
    'routes.grpc.paths[2] must be a path of its own: /a.B/C is one of routes.grpc.paths',
  ]);
  for (const path of ['a.B/C', '/a.B', '/a.B/', '/a.B/C/D', '/a..B/C', '/a.B/*', '/a.B/C?d', '/1a/B', '/a-b/C', '']) {
    assert.match(faultsOf({ routes: { grpc: { paths: [path] } } }).join(), /^routes.grpc.paths\[0\] must be a gRPC method/, path);
  }
  assert.deepEqual(faultsOf({ routes: { grpc: { paths: ['/Plain/Call', '/a_1.b2.C/_D'] } } }), []);
});

test('an upstream that is faulty is not also missing', () => {
  assert.deepEqual(faultsOf({ upstream: { grpc: 'collector:4317' } }), [
    'upstream.grpc must be http://host:port or https://host:port, without user, path or query',
  ]);
});

test('two servers cannot listen on one address, nor on one port if either takes all interfaces', () => {
  const ports = (grpc: string, http: string) =>
    faultsOf({ listen: { grpc: { address: grpc }, http: { address: http } } });
  const message = (address: string) => [
    `listen.http.address must be an address of its own: listen.grpc.address is ${address}`,
  ];
  assert.deepEqual(ports('127.0.0.1:5000', '127.0.0.1:5000'), message('127.0.0.1:5000'));
  assert.deepEqual(ports('0.0.0.0:5000', '127.0.0.1:5000'), message('0.0.0.0:5000'));
  assert.deepEqual(ports('127.0.0.1:5000', '[::]:5000'), message('127.0.0.1:5000'));
  assert.deepEqual(ports('127.0.0.1:5000', '127.0.0.2:5000'), []);
  assert.deepEqual(ports('127.0.0.1:0', '127.0.0.1:0'), []);
});

test('keys are kept in Redis or in a file of one’s choice, not in both', () => {
  const redis = { url: 'redis://redis:6379' };
  assert.deepEqual(faultsOf({ store: { redis, sqlite: { path: '/var/lib/keygate.db' } } }), [
    'store.sqlite.path must not be set beside store.redis: keys are kept in one of them. Remove the other',
  ]);
  assert.deepEqual(faultsOf({ store: { redis, sqlite: { path: './data/keygate.db' } } }), []);
  assert.deepEqual(faultsOf({ store: { redis } }), []);
});

test('Redis options that would have no effect are faults', () => {
  assert.deepEqual(faultsOf({ store: { redis: { url: 'redis://redis:6379', ca: '/ca.pem' } } }), [
    'store.redis.ca must not be set unless url begins with rediss://: without TLS no certificate is looked at',
  ]);
  const times = { commandTimeout: '2s', socketTimeout: '1s' };
  assert.deepEqual(faultsOf({ store: { redis: { url: 'redis://redis:6379', ...times } } }), [
    'store.redis.socketTimeout must not be shorter than commandTimeout',
  ]);
});

const NODES = ['a:7000', 'b:7000', 'c:7000'];
const SENTINELS = { sentinels: ['a:26379', 'b:26379', 'c:26379'], master: 'mymaster' };
const URL = 'redis://redis:6379';

test('there is exactly one way to Redis', () => {
  for (const redis of [{ url: URL }, { nodes: NODES }, SENTINELS]) assert.deepEqual(faultsOf({ store: { redis } }), []);
  assert.deepEqual(faultsOf({ store: { redis: {} } }), [
    'store.redis must say where Redis is: set url for one server, or sentinels and master, or nodes for a Cluster',
  ]);
  assert.deepEqual(faultsOf({ store: { redis: { url: URL, ...SENTINELS } } }), [
    'store.redis.sentinels must not be set beside url: there is one way to Redis. Remove the other',
  ]);
  assert.deepEqual(faultsOf({ store: { redis: { nodes: NODES, url: URL } } }), [
    'store.redis.nodes must not be set beside url: there is one way to Redis. Remove the other',
  ]);
});

const REDIS_FAULTS: Readonly<Record<string, { redis: object; fault: string }>> = {
  'Sentinels without the name of the primary': {
    redis: { sentinels: ['a:26379'] },
    fault: 'store.redis.master must be set, because sentinels is: the name they know the primary by',
  },
  'the name of a primary for nobody': {
    redis: { nodes: NODES, master: 'mymaster' },
    fault: 'store.redis.master must not be set without sentinels: nobody is asked for it',
  },
  'a node without a port': {
    redis: { nodes: ['redis'] },
    fault: 'store.redis.nodes[0] must be host:port, such as redis-0:6379',
  },
  'a user in two places': {
    redis: { url: 'redis://u:p@redis', user: 'u' },
    fault: 'store.redis.user must not be set beside a url with a user in it: remove one of the two',
  },
  'a password in two places': {
    redis: { url: 'redis://:p@redis', password: 'p' },
    fault: 'store.redis.password must not be set beside a url with a password in it: remove one of the two',
  },
  'a database in two places': {
    redis: { url: 'redis://redis/1', database: 2 },
    fault: 'store.redis.database must not be set beside a url that ends with one: remove one of the two',
  },
  'a database of a Cluster': {
    redis: { nodes: NODES, database: 1 },
    fault: 'store.redis.database must be 0: a Redis Cluster has no other',
  },
  'a user without a password': {
    redis: { nodes: NODES, user: 'u' },
    fault: 'store.redis.password must be set, because user is',
  },
  'a user of Sentinels without a password': {
    redis: { ...SENTINELS, sentinelUser: 'u' },
    fault: 'store.redis.sentinelPassword must be set, because sentinelUser is',
  },
  'a password for Sentinels that are not there': {
    redis: { url: URL, sentinelPassword: 'p' },
    fault: 'store.redis.sentinelPassword must not be set without sentinels: nobody is sent it',
  },
  'TLS beside a URL without it': {
    redis: { url: URL, tls: true },
    fault: 'store.redis.tls must not be set beside a url that begins with redis://: write rediss:// there',
  },
  'authorities without TLS': {
    redis: { nodes: NODES, ca: '/ca.pem' },
    fault: 'store.redis.ca must not be set unless tls is true: without TLS no certificate is looked at',
  },
  'half a client certificate': {
    redis: { nodes: NODES, tls: true, cert: '/one.crt' },
    fault: 'store.redis.key must be set, because cert is',
  },
};
for (const [what, { redis, fault }] of Object.entries(REDIS_FAULTS)) {
  test(`${what} is a fault`, () => assert.deepEqual(faultsOf({ store: { redis } }), [fault]));
}

test('what the URL of Redis leaves out may stand beside it, in files of their own', () => {
  const redis = { url: 'rediss://redis:6379', user: 'u', password: 'p', database: 3, cert: '/one.crt', key: '/one.key' };
  assert.deepEqual(faultsOf({ store: { redis } }), []);
});

test('peppers have ids of their own', () => {
  const pepper = (id: string) => ({ id, secret: `sixteen-and-more-${id}` });
  const keys = { pepper: pepper('c'), previousPeppers: [pepper('b'), pepper('c'), pepper('b')] };
  assert.deepEqual(faultsOf({ keys }), [
    'keys.previousPeppers[1].id must be an id that no other pepper has',
    'keys.previousPeppers[2].id must be an id that no other pepper has',
  ]);
});

test('the header of the tenant is one of its own', () => {
  assert.deepEqual(faultsOf({ keys: { tenantHeader: 'x-scope-orgid' } }), []);
  assert.deepEqual(faultsOf({ keys: { tenantHeader: 'x-api-key' } }), [
    'keys.tenantHeader must be a header of its own: keys.carriers names it as one that holds a key',
  ]);
  const taken = 'authorization host te content-length content-type grpc-timeout x-keygate-key-id tenant-bin proxy-x';
  for (const tenantHeader of taken.split(' ')) {
    assert.deepEqual(faultsOf({ keys: { tenantHeader } }), [
      'keys.tenantHeader must be a header that means nothing else to HTTP, to gRPC or to Keygate',
    ]);
  }
});

test('web origins are as browsers write them', () => {
  assert.deepEqual(faultsOf({ cors: { origins: ['https://shop.example.com', 'http://localhost:3000', '*'] } }), []);
  assert.deepEqual(faultsOf({ cors: { origins: ['https://shop.example.com/', 'shop.example.com'] } }), [
    'cors.origins[0] must be as browsers write it: https://shop.example.com',
    'cors.origins[1] must be scheme://host or scheme://host:port, such as https://shop.example.com, or *',
  ]);
});

test('a receiver key in a file becomes a receiver key in the configuration', () => {
  files['/run/agents'] = 'key-of-the-agents\n';
  const result = load({ keys: { receiverKeys: [{ name: 'agents', keyFile: '/run/agents' }] } });
  assert.deepEqual(result.ok && result.config.keys.receiverKeys, [
    { name: 'agents', key: 'key-of-the-agents', keyFile: '/run/agents', tenant: null },
  ]);
});

test('receiver keys have one key each, of the form that requests can carry, and a name of their own', () => {
  files['/run/two-lines'] = 'first\nsecond\n';
  files['/run/same'] = 'k1\n';
  const receiverKeys = [
    { name: 'a', key: 'k1' },
    { name: 'a', key: 'k2' },
    { name: 'b' },
    { name: 'c', key: 'k3', keyFile: '/run/same' },
    { name: 'd', key: 'k 4' },
    { name: 'e', key: 'k,5' },
    { name: 'f', key: 'x'.repeat(513) },
    { name: 'g', keyFile: '/run/two-lines' },
    { name: 'h', keyFile: '/run/same' },
    { name: 'i', key: `${createKeyText('ingestion')}x` },
    { name: 'j', key: createKeyText('ingestion') },
    { name: 'k', key: 'x'.repeat(512) },
  ];
  const form = 'must be 1 to 512 visible ASCII characters, without spaces and commas';
  assert.deepEqual(faultsOf({ keys: { receiverKeys } }), [
    'keys.receiverKeys[1].name must be a name that no other receiver key has',
    'keys.receiverKeys[2].key must be set, or keyFile in its place; not both',
    'keys.receiverKeys[3].key must be set, or keyFile in its place; not both',
    `keys.receiverKeys[4].key ${form}`,
    `keys.receiverKeys[5].key ${form}`,
    `keys.receiverKeys[6].key ${form}`,
    `keys.receiverKeys[7].keyFile ${form} (the text in the file)`,
    'keys.receiverKeys[8].keyFile must be a key that no other receiver key has (the text in the file)',
    'keys.receiverKeys[9].key must be the whole key: it looks like a generated one whose checksum is wrong',
  ]);
});

test('revealable types need an encryption key, and each encryption key an id of its own', () => {
  const key = (id: string) => ({ id, secret: Buffer.alloc(32, id).toString('base64') });
  const revealable = { types: ['sensor'], encryptionKey: key('a'), previousEncryptionKeys: [key('b')] };
  assert.deepEqual(faultsOf({ keys: { revealable } }), []);
  assert.deepEqual(faultsOf({ keys: { revealable: { ...revealable, encryptionKey: null } } }), [
    'keys.revealable.encryptionKey must be set, because types are named: openssl rand -base64 32 makes a secret for it',
  ]);
  assert.deepEqual(faultsOf({ keys: { revealable: { ...revealable, previousEncryptionKeys: [key('a'), key('c')] } } }), [
    'keys.revealable.previousEncryptionKeys[0].id must be an id that no other encryption key has',
  ]);
  const short = { id: 'a', secret: Buffer.alloc(16).toString('base64') };
  assert.deepEqual(faultsOf({ keys: { revealable: { ...revealable, encryptionKey: short } } }), [
    'keys.revealable.encryptionKey.secret must be 32 bytes in base64: openssl rand -base64 32',
  ]);
});

test('a snapshot is for keys in Redis, and is signed', () => {
  const cache = { snapshot: { path: '/snapshot', secret: 'at-least-16-characters' } };
  assert.deepEqual(faultsOf({ cache, store: { redis: { url: 'redis://redis:6379' } } }), []);
  assert.deepEqual(faultsOf({ cache }), [
    'cache.snapshot must not be set without store.redis: SQLite keeps all keys in a file on this machine already',
  ]);
  assert.deepEqual(
    faultsOf({ cache: { snapshot: { path: '/snapshot' } } }).map((fault) => fault.split(' ')[0]),
    ['cache.snapshot.secret'],
  );
});

test('ports for other proxies are closed unless they are named, and no two ports are one', () => {
  const result = load({});
  assert.ok(result.ok);
  const closed = { address: null, tls: null };
  assert.deepEqual(result.config.authz, { grpc: closed, http: closed, proxies: [] });
  const address = '127.0.0.1:9192';
  assert.deepEqual(faultsOf({ authz: { grpc: { address }, http: { address } } }), [
    'authz.http.address must be an address of its own: authz.grpc.address is 127.0.0.1:9192',
  ]);
  const dev = load({}, true);
  assert.ok(dev.ok && dev.config.authz.http.address === null);
});

test('networks of further proxies are networks', () => {
  assert.deepEqual(faultsOf({ authz: { proxies: ['10.0.0.0/8', '192.0.2.1'] } }), []);
  assert.deepEqual(faultsOf({ authz: { proxies: ['10.0.0.1/8'] } }), [
    'authz.proxies[0] must be a whole network: write 10.0.0.0/8',
  ]);
});
