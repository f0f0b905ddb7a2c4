import type { Config } from './config/schema.ts';
import type { ToUpstream } from './headers.ts';
import { createHttpRoutes } from './plane/routes.ts';
import type { HttpRoutes } from './plane/routes.ts';
import type { Protocol } from './plane/plane.ts';
import { createHttp1Upstream } from './plane/wire/http1/pool.ts';
import { createHttp2Upstream } from './plane/wire/http2/pool.ts';
import type { Upstream } from './plane/wire/upstream-call.ts';
import { createEndpoints } from './upstream/endpoints.ts';
import type { Endpoints } from './upstream/endpoints.ts';
import type { UpstreamObserver } from './telemetry/observers.ts';
import { createProbe } from './upstream/probe.ts';
import { parseTarget } from './upstream/target.ts';
import type { UpstreamTarget } from './upstream/target.ts';
import { readTls } from './upstreams.ts';

/** All that is behind the wire plane, and which path leads where. */
export interface WireUpstreams {
  /** Absent: there is no collector for gRPC. */
  readonly grpc: Upstream | undefined;
  readonly routes: HttpRoutes<Upstream>;
  /** To be called a few times a second. */
  check(nowMs: number): void;
  close(): void;
}

export interface WireUpstreamOptions {
  readonly toUpstream: ToUpstream;
  readonly observe: (protocol: Protocol) => UpstreamObserver;
}

interface Behind extends Pick<UpstreamObserver, 'connectionFailed'> {
  readonly endpoints: Endpoints;
  readonly target: UpstreamTarget;
}

interface Checked extends Upstream {
  readonly connectionCount: number;
  check(nowMs: number): void;
}

export function createWireUpstreams(config: Config, { toUpstream, observe }: WireUpstreamOptions): WireUpstreams {
  const { upstream, routes } = config;
  const tls = readTls(upstream.tls);
  const closing: { close(): void }[] = [];
  const checked: { readonly made: Checked; readonly observer: UpstreamObserver }[] = [];
  const { connectTimeout: connectTimeoutMs, connections } = upstream;

  function open<T extends Checked>(
    protocol: Protocol,
    url: string | null,
    create: (behind: Behind) => T,
  ): T | undefined {
    if (url === null) return undefined;
    const target = parseTarget(url);
    const observer = observe(protocol);
    const endpoints = createEndpoints({
      target,
      resolveIntervalMs: upstream.resolveInterval,
      probe: createProbe(connectTimeoutMs),
      now: () => performance.now(),
      random: Math.random,
      observe: observer,
    });
    const made = create({ endpoints, target, connectionFailed: observer.connectionFailed });
    checked.push({ made, observer });
    closing.push(made, endpoints);
    return made;
  }

  const common = { tls, toUpstream, connectTimeoutMs };
  const overHttp1 = (url: string | null): Upstream | undefined =>
    open('http', url, (behind) => createHttp1Upstream({ ...common, ...behind }));
  const relayed = ({ target, paths }: Config['routes']['rum']) => {
    const forward = overHttp1(target);
    return forward && { paths, forward };
  };

  return {
    grpc: open('grpc', upstream.grpc, (behind) => createHttp2Upstream({ ...common, ...behind, connections })),
    routes: createHttpRoutes({
      otlp: overHttp1(upstream.http),
      rum: relayed(routes.rum),
      remoteConfig: relayed(routes.remoteConfig),
    }),
    check(nowMs) {
      for (const { made, observer } of checked) {
        made.check(nowMs);
        observer.connections(made.connectionCount);
      }
    },
    close() {
      for (const each of closing) each.close();
    },
  };
}
