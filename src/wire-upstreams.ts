import type { Config } from './config/schema.ts';
import type { ToUpstream } from './headers.ts';
import type { Desk } from './plane/desk.ts';
import { createHttpRoutes } from './plane/routes.ts';
import type { HttpRoutes, RelayedPaths, RelayedSection } from './plane/routes.ts';
import type { Protocol } from './plane/plane.ts';
import { createHttp1Upstream } from './plane/wire/http1/pool.ts';
import { createHttp2Upstream } from './plane/wire/http2/pool.ts';
import type { Upstream, UpstreamPool } from './plane/wire/upstream-call.ts';
import { Standing } from './standing.ts';
import { createEndpoints } from './upstream/endpoints.ts';
import type { Endpoints } from './upstream/endpoints.ts';
import type { UpstreamObserver } from './telemetry/observers.ts';
import { createProbe } from './upstream/probe.ts';
import { parseTarget } from './upstream/target.ts';
import type { UpstreamTarget, UpstreamTls } from './upstream/target.ts';

/** All that is behind the wire plane, and which path leads where. */
export interface WireUpstreams {
  /** Absent: there is no collector for gRPC. */
  readonly grpc: Upstream | undefined;
  readonly routes: HttpRoutes<Upstream>;
  /** To be called a few times a second. */
  check(nowMs: number): void;
  /** Requests from now on go where this configuration says; those under way end where they are. */
  renew(config: Config, tls: UpstreamTls): void;
  close(): void;
}

export interface WireUpstreamOptions {
  readonly toUpstream: ToUpstream;
  readonly observe: (protocol: Protocol) => UpstreamObserver;
  readonly desk: Desk | undefined;
}

/** What makes an upstream; another one is made only if this has changed. */
interface Wanted {
  readonly target: UpstreamTarget;
  readonly tls: UpstreamTls;
  readonly connectTimeoutMs: number;
  readonly resolveIntervalMs: number;
  /** Of HTTP/2, to each address. */
  readonly connections: number;
}

/** A pool with all that is its own. */
interface Behind {
  readonly pool: UpstreamPool;
  readonly endpoints: Endpoints;
  readonly observer: UpstreamObserver;
}

const NO_TLS: UpstreamTls = { ca: undefined, cert: undefined, key: undefined };

export function createWireUpstreams(
  config: Config,
  tls: UpstreamTls,
  { toUpstream, observe, desk }: WireUpstreamOptions,
): WireUpstreams {
  const standing: { readonly urlOf: UrlOf; readonly behind: Standing<Wanted, Behind> }[] = [];
  /** Those whose place another one has taken, until their last request has ended; requests have bounds of their own. */
  const retired = new Set<Behind>();

  function make(protocol: Protocol, { resolveIntervalMs, ...wanted }: Wanted): Behind {
    const observer = observe(protocol);
    const { target, connectTimeoutMs } = wanted;
    const endpoints = createEndpoints({
      target,
      resolveIntervalMs,
      probe: createProbe(connectTimeoutMs),
      now: () => performance.now(),
      random: Math.random,
      observe: observer,
    });
    const options = { ...wanted, endpoints, toUpstream, connectionFailed: observer.connectionFailed };
    const pool = protocol === 'grpc' ? createHttp2Upstream(options) : createHttp1Upstream(options);
    return { pool, endpoints, observer };
  }

  /** An upstream that is configured stays one: from null and to null only a restart leads. */
  function stand(protocol: Protocol, urlOf: UrlOf): Upstream | undefined {
    const wanted = wantedOf(config, tls, urlOf);
    if (wanted === undefined) return undefined;
    const behind = new Standing<Wanted, Behind>(
      wanted,
      (each) => make(protocol, each),
      (old) => void retired.add(old),
    );
    standing.push({ urlOf, behind });
    return {
      open: (request, caller) => behind.current.pool.open(request, caller),
      close: () => behind.current.pool.close(),
    };
  }

  function relayed(section: RelayedSection): RelayedPaths<Upstream> | undefined {
    const forward = stand('http', ({ routes }) => routes[section].target);
    return forward && { ...config.routes[section], forward };
  }

  function check({ pool, observer }: Behind, nowMs: number): void {
    pool.check(nowMs);
    observer.connections(pool.connectionCount);
  }

  function closeIfDone(old: Behind): void {
    if (!old.pool.isIdle) return;
    retired.delete(old);
    close(old);
    old.observer.connections(0);
    old.observer.addresses(0, 0);
  }

  return {
    grpc: stand('grpc', ({ upstream }) => upstream.grpc),
    routes: createHttpRoutes({
      otlp: stand('http', ({ upstream }) => upstream.http),
      rum: relayed('rum'),
      remoteConfig: relayed('remoteConfig'),
      agent: { paths: config.routes.agent.paths, forward: stand('http', ({ routes }) => routes.agent.target) },
      logs: relayed('logs'),
      singles: relayed('singles'),
      remoteWrite: relayed('remoteWrite'),
      tokens: desk && { paths: config.keys.tokens.paths, desk },
      pagesOverOtlp: config.routes.rum.otlp,
    }),
    check(nowMs) {
      for (const { behind } of standing) check(behind.current, nowMs);
      for (const old of retired) {
        check(old, nowMs);
        closeIfDone(old);
      }
    },
    renew(next, nextTls) {
      for (const { urlOf, behind } of standing) {
        const wanted = wantedOf(next, nextTls, urlOf);
        if (wanted !== undefined) behind.want(wanted);
      }
    },
    close() {
      for (const each of [...standing.map(({ behind }) => behind.current), ...retired]) close(each);
    },
  };
}

type UrlOf = (config: Config) => string | null;

function wantedOf(config: Config, tls: UpstreamTls, urlOf: UrlOf): Wanted | undefined {
  const url = urlOf(config);
  if (url === null) return undefined;
  const target = parseTarget(url);
  const { connectTimeout, resolveInterval, connections } = config.upstream;
  return {
    target,
    tls: target.secure ? tls : NO_TLS,
    connectTimeoutMs: connectTimeout,
    resolveIntervalMs: resolveInterval,
    connections,
  };
}

function close({ pool, endpoints }: Behind): void {
  pool.close();
  endpoints.close();
}
