import { createSecureContext } from 'node:tls';
import { GRPC_ROUTES, HTTP_ROUTES } from '../plane/otlp-paths.ts';
import { nameOf, optionsBelow, type SectionOption } from './describe.ts';
import type { Problem } from './problem.ts';
import { redisProblems } from './redis-problems.ts';
import type { Config } from './schema.ts';
import { valueAt } from './tree.ts';
import { type ReadFile, readFault } from './yaml-file.ts';

export interface CrossFieldContext {
  readonly root: SectionOption;
  readonly readFile: ReadFile;
  /** In dev mode a built-in collector stands in for one that is not configured. */
  readonly dev: boolean;
}

export function crossFieldProblems(config: Config, { root, readFile, dev }: CrossFieldContext): readonly Problem[] {
  return [
    ...unreadableFiles(config, root, readFile),
    ...unusableTls(config, readFile),
    ...sharedAddresses(config, root),
    ...tlsOfNoPort(config),
    ...(dev ? [] : missingUpstream(config)),
    ...contradictoryStores(config, root),
    ...repeatedPeppers(config),
    ...unusableRevealable(config),
    ...tenantInCarrier(config),
    ...needlessSnapshot(config),
    ...repeatedRoutes(config),
  ];
}

function unreadableFiles(config: Config, root: SectionOption, readFile: ReadFile): Problem[] {
  return optionsBelow(root).flatMap(({ path, mustExist }) => {
    const file = mustExist ? valueAt(config, path) : null;
    if (typeof file !== 'string') return [];
    try {
      readFile(file);
      return [];
    } catch (error) {
      return [{ path, message: `must be a file that can be read: it ${readFault(error)}` }];
    }
  });
}

function unusableTls({ listen, authz, upstream }: Config, readFile: ReadFile): Problem[] {
  const identities = [
    { at: ['listen', 'grpc', 'tls'], tls: listen.grpc.tls },
    { at: ['listen', 'http', 'tls'], tls: listen.http.tls },
    { at: ['authz', 'grpc', 'tls'], tls: authz.grpc.tls },
    { at: ['authz', 'http', 'tls'], tls: authz.http.tls },
    { at: ['upstream', 'tls'], tls: upstream.tls },
  ];
  return identities.flatMap(({ at, tls }): Problem[] => {
    if (tls === null || (tls.cert === null && tls.key === null)) return [];
    if (tls.cert === null) return [{ path: [...at, 'cert'], message: 'must be set, because key is' }];
    if (tls.key === null) return [{ path: [...at, 'key'], message: 'must be set, because cert is' }];
    const files = readBoth(tls.cert, tls.key, readFile);
    const fault = files && tlsFault(files);
    if (fault === undefined) return [];
    const message = `must be a PEM certificate that belongs to the PEM private key in key; TLS says: ${fault}`;
    return [{ path: [...at, 'cert'], message, others: [nameOf([...at, 'key'])] }];
  });
}

/** Undefined if one cannot be read, which is said elsewhere. */
function readBoth(cert: string, key: string, readFile: ReadFile): { cert: string; key: string } | undefined {
  try {
    return { cert: readFile(cert), key: readFile(key) };
  } catch {
    return undefined;
  }
}

function tlsFault(identity: { cert: string; key: string }): string | undefined {
  try {
    createSecureContext(identity);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) return 'unknown cause';
    return 'reason' in error ? String(error.reason) : error.message;
  }
}

const ANY_HOST: ReadonlySet<string> = new Set(['0.0.0.0', '[::]']);

/** A port of 0 is a new one each time; an address of all interfaces takes the port from every single one. */
function sharedAddresses(config: Config, root: SectionOption): Problem[] {
  const listening = optionsBelow(root)
    .filter((option) => option.listens)
    .flatMap(({ path, name }) => {
      const address = valueAt(config, path);
      if (typeof address !== 'string') return []; // this one is not open
      const colon = address.lastIndexOf(':');
      return [{ path, name, address, host: address.slice(0, colon), port: address.slice(colon + 1) }];
    });
  return listening.flatMap(({ path, host, port }, index) => {
    const other = listening
      .slice(0, index)
      .find((one) => one.port === port && (one.host === host || ANY_HOST.has(one.host) || ANY_HOST.has(host)));
    if (other === undefined || port === '0') return [];
    return [
      { path, message: `must be an address of its own: ${other.name} is ${other.address}`, others: [other.name] },
    ];
  });
}

/** Who asks for TLS means a port to be open. */
function tlsOfNoPort({ authz }: Config): Problem[] {
  return (['grpc', 'http'] as const).flatMap((port) => {
    const { address, tls } = authz[port];
    return address === null && tls !== null
      ? [{ path: ['authz', port, 'address'], message: 'must be set, because tls is' }]
      : [];
  });
}

/** Whoever is only asked by other proxies needs no collector. */
function missingUpstream({ upstream, authz }: Config): Problem[] {
  if (upstream.grpc !== null || upstream.http !== null) return [];
  if (authz.grpc.address !== null || authz.http.address !== null) return [];
  const message =
    'must name the collector: set upstream.grpc, such as http://collector:4317, or upstream.http, or both';
  return [{ path: ['upstream'], message, others: ['upstream.grpc', 'upstream.http'] }];
}

/** The default path of sqlite may stand beside redis: it is what config/keygate.yaml, copied and added to, says. */
function contradictoryStores({ store: { redis, sqlite } }: Config, root: SectionOption): Problem[] {
  if (redis === null) return [];
  const problems: Problem[] = [];
  const defaultPath = optionsBelow(root).find(({ name }) => name === 'store.sqlite.path')?.defaultValue;
  if (sqlite.path !== defaultPath) {
    const message = 'must not be set beside store.redis: keys are kept in one of them. Remove the other';
    problems.push({ path: ['store', 'sqlite', 'path'], message, others: ['store.redis'] });
  }
  return [...problems, ...redisProblems(redis)];
}

/** What comes in such a header is a key, and never passes. */
function tenantInCarrier({ keys: { tenantHeader, carriers } }: Config): Problem[] {
  if (tenantHeader === null || !carriers.includes(tenantHeader)) return [];
  const message = 'must be a header of its own: keys.carriers names it as one that holds a key';
  return [{ path: ['keys', 'tenantHeader'], message, others: ['keys.carriers'] }];
}

/** Each path has one upstream and one kind of key. */
function repeatedRoutes(config: Config): Problem[] {
  const { routes } = config;
  return [
    ...repeatedPaths(routes, ['grpc'], [...GRPC_ROUTES.keys()], 'OTLP/gRPC'),
    ...repeatedPaths(routes, HTTP_SECTIONS, [...HTTP_ROUTES.keys()], 'OTLP/HTTP'),
    ...tokenPathsTaken(config),
  ];
}

const HTTP_SECTIONS = ['rum', 'remoteConfig', 'agent', 'logs', 'singles', 'remoteWrite'] as const;

/** What is answered here is answered by nobody else. */
function tokenPathsTaken({ keys, routes }: Config): Problem[] {
  const taken: readonly string[] = [...HTTP_ROUTES.keys(), ...HTTP_SECTIONS.flatMap((each) => routes[each].paths)];
  return keys.tokens.paths.flatMap((path, index) =>
    taken.includes(path)
      ? [{ path: ['keys', 'tokens', 'paths', index], message: `must be a path of its own: ${path} is another route` }]
      : [],
  );
}

function repeatedPaths(
  routes: Config['routes'],
  sections: readonly (keyof Config['routes'])[],
  otlpPaths: readonly string[],
  otlp: string,
): Problem[] {
  const taken = new Map(otlpPaths.map((path) => [path, otlp]));
  return sections.flatMap((section) =>
    routes[section].paths.flatMap((path, index) => {
      const owner = taken.get(path);
      const name = nameOf(['routes', section, 'paths']);
      if (owner === undefined) {
        taken.set(path, name);
        return [];
      }
      const message = `must be a path of its own: ${path} is one of ${owner}`;
      return [{ path: ['routes', section, 'paths', index], message }];
    }),
  );
}

function needlessSnapshot({ cache: { snapshot }, store: { redis } }: Config): Problem[] {
  if (snapshot === null || redis !== null) return [];
  const message = 'must not be set without store.redis: SQLite keeps all keys in a file on this machine already';
  return [{ path: ['cache', 'snapshot'], message, others: ['store.redis'] }];
}

function repeatedPeppers({ keys: { pepper, previousPeppers } }: Config): Problem[] {
  return repeatedIds(pepper, previousPeppers).map((index) => ({
    path: ['keys', 'previousPeppers', index, 'id'],
    message: 'must be an id that no other pepper has',
    others: ['keys.pepper'],
  }));
}

function unusableRevealable({ keys: { revealable } }: Config): Problem[] {
  const { types, encryptionKey, previousEncryptionKeys } = revealable;
  const problems = repeatedIds(encryptionKey, previousEncryptionKeys).map((index): Problem => {
    const path = ['keys', 'revealable', 'previousEncryptionKeys', index, 'id'];
    const message = 'must be an id that no other encryption key has';
    return { path, message, others: ['keys.revealable.encryptionKey'] };
  });
  if (types.length > 0 && encryptionKey === null) {
    const message = 'must be set, because types are named: openssl rand -base64 32 makes a secret for it';
    problems.push({ path: ['keys', 'revealable', 'encryptionKey'], message, others: ['keys.revealable.types'] });
  }
  return problems;
}

/** The places in the list of previous ones whose id was there before. */
function repeatedIds(current: { readonly id: string } | null, previous: readonly { readonly id: string }[]): number[] {
  const ids = new Set(current === null ? [] : [current.id]);
  return previous.flatMap(({ id }, index) => {
    if (ids.has(id)) return [index];
    ids.add(id);
    return [];
  });
}
