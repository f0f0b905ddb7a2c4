import type { Signal } from '../keys/record.ts';
import type { HttpForward } from '../upstream/http-forward.ts';
import type { Route } from '../verdict/decide.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from './otlp-paths.ts';

/** The methods that routes take. Only POST has a body. */
export type HttpMethod = 'POST' | 'GET' | 'HEAD';

/** What may be done at a path, and who answers there: `Behind` is how a plane sends requests on. */
export interface HttpRoute<Behind = HttpForward> {
  readonly name: Exclude<Route, 'otlp-grpc' | 'grpc'>;
  /** Absent where none of the four comes in. */
  readonly signal: Signal | undefined;
  readonly methods: readonly HttpMethod[];
  /** Whether browsers may be told that pages of other origins have business here. */
  readonly forPages: boolean;
  /** How refusals are written to a request that is in neither of OTLP's encodings. */
  readonly plainRefusals: 'text' | 'json';
  /** Absent: nobody is configured to answer. */
  readonly forward: Behind | undefined;
}

/** By path, which must match exactly. */
export type HttpRoutes<Behind = HttpForward> = ReadonlyMap<string, HttpRoute<Behind>>;

/** What a gRPC method is to us: all are answered by the collector, and relayed alike. */
export interface GrpcRoute {
  readonly name: Extract<Route, 'otlp-grpc' | 'grpc'>;
  /** Absent where none of the four comes in. */
  readonly signal: Signal | undefined;
}

/** By path, which must match exactly. */
export type GrpcRoutes = ReadonlyMap<string, GrpcRoute>;

/** OTLP's own methods win over any others, as below. */
export function createGrpcRoutes(morePaths: readonly string[]): GrpcRoutes {
  const routes = new Map<string, GrpcRoute>();
  for (const path of morePaths) routes.set(path, { name: 'grpc', signal: undefined });
  for (const [path, signal] of GRPC_ROUTES) routes.set(path, { name: 'otlp-grpc', signal });
  return routes;
}

/** Paths that one upstream answers. */
export interface RelayedPaths<Behind = HttpForward> {
  readonly paths: readonly string[];
  readonly forward: Behind;
}

export interface HttpUpstreams<Behind = HttpForward> {
  /** Absent: the routes are there all the same, and say that there is no collector. */
  readonly otlp: Behind | undefined;
  /** Absent: there are no such routes. */
  readonly rum: RelayedPaths<Behind> | undefined;
  readonly remoteConfig: RelayedPaths<Behind> | undefined;
}

/** OTLP's own paths win over any others; the configuration has refused those that are named twice. */
export function createHttpRoutes<Behind = HttpForward>(upstreams: HttpUpstreams<Behind>): HttpRoutes<Behind> {
  const { otlp, rum, remoteConfig } = upstreams;
  const routes = new Map<string, HttpRoute<Behind>>();
  for (const path of remoteConfig?.paths ?? []) {
    routes.set(path, {
      name: 'remote-config',
      signal: undefined,
      methods: ['GET', 'HEAD'],
      forPages: false,
      plainRefusals: 'json',
      forward: remoteConfig?.forward,
    });
  }
  for (const path of rum?.paths ?? []) {
    routes.set(path, {
      name: 'rum',
      signal: undefined,
      methods: ['POST'],
      forPages: true,
      plainRefusals: 'json',
      forward: rum?.forward,
    });
  }
  for (const [path, signal] of HTTP_ROUTES) {
    const methods: readonly HttpMethod[] = ['POST'];
    routes.set(path, { name: 'otlp-http', signal, methods, forPages: true, plainRefusals: 'text', forward: otlp });
  }
  return routes;
}
