import type { RawFields } from '../credential/read.ts';
import type { Signal } from '../keys/record.ts';
import type { HttpForward } from '../upstream/http-forward.ts';
import type { Asking, Refusal, Route, Sending } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';
import { readAgentTarget } from './agent-paths.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from './otlp-paths.ts';

/** The methods that routes take. Only POST has a body. */
export type HttpMethod = 'POST' | 'GET' | 'HEAD';

/** What may be done at a path, and who answers there: `Behind` is how a plane sends requests on. */
export interface HttpRoute<Behind = HttpForward> {
  readonly name: Exclude<Route, 'grpc'>;
  /** Absent where none of the four comes in. */
  readonly signal: Signal | undefined;
  readonly methods: readonly HttpMethod[];
  /** Whether browsers may be told that pages of other origins have business here. */
  readonly forPages: boolean;
  /** How refusals are written to a request that is in neither of OTLP's encodings. */
  readonly plainRefusals: 'text' | 'json';
  /** Absent: nobody is configured to answer. */
  readonly forward: Behind | undefined;
  /** The option that has to be set for there to be such a route. */
  readonly unset?: string;
  /** It is asked here whether a key is good, and the gateway itself answers. */
  readonly isQuestion?: true;
  /** Why nobody is served here, whoever it is. Absent: requests are judged. */
  readonly refusal?: Reason;
}

/** Where a request target leads. */
export interface Place<Behind = HttpForward> {
  /** Absent: nowhere. */
  readonly route: HttpRoute<Behind> | undefined;
  /** What whoever answers there is asked for; never with a key. */
  readonly target: string;
  /** The keys that the target holds, as fields that belong to those of the request. */
  readonly keys: RawFields;
}

export type HttpRoutes<Behind = HttpForward> = (target: string) => Place<Behind>;

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
  /** Whoever looks for one that is not there is told how to have it. */
  readonly agent: Omit<RelayedPaths<Behind>, 'forward'> & Pick<HttpRoute<Behind>, 'forward'>;
}

const NO_KEYS: RawFields = [];

/**
 * OTLP's own paths win over any others; the configuration has refused those that are named twice. A path must match exactly, but
 * for those of agents. Queries are no part of a route and do not go on, because a query could hold a key; agents' keys do.
 */
export function createHttpRoutes<Behind = HttpForward>(upstreams: HttpUpstreams<Behind>): HttpRoutes<Behind> {
  const { otlp, rum, remoteConfig, agent } = upstreams;
  const routes = new Map<string, HttpRoute<Behind>>();
  // A page that sends gRPC-Web asks for leave first: it gets it, and then it gets to read why that is not spoken here.
  for (const [path, signal] of GRPC_ROUTES) {
    routes.set(path, {
      name: 'otlp-grpc',
      signal,
      methods: ['POST'],
      forPages: true,
      plainRefusals: 'text',
      forward: undefined,
      refusal: 'grpc_only',
    });
  }
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
  const ofAgents = createAgentRoutes(agent.forward);

  return (target) => {
    const question = target.indexOf('?');
    const path = question === -1 ? target : target.slice(0, question);
    const route = routes.get(path);
    const asked = route === undefined ? readAgentTarget(path, target.slice(path.length + 1), agent.paths) : undefined;
    if (asked === undefined) return { route, target: path, keys: NO_KEYS };
    return { ...asked, route: asked.leadsTo === 'otlp' ? routes.get(asked.target) : ofAgents[asked.leadsTo] };
  };
}

function createAgentRoutes<Behind>(forward: Behind | undefined) {
  const common = { name: 'agent', signal: undefined, forPages: false, plainRefusals: 'text' } as const;
  const receiver: HttpRoute<Behind> = {
    ...common,
    methods: ['POST', 'GET', 'HEAD'],
    forward,
    ...(forward === undefined && { unset: 'routes.agent.target' }),
  };
  const question: HttpRoute<Behind> = { ...common, methods: ['GET', 'HEAD'], forward: undefined, isQuestion: true };
  return { receiver, question };
}

/** What a key is wanted for on a route. */
export function toUse(route: Pick<HttpRoute, 'isQuestion'> | undefined, sending: Sending): Sending | Asking {
  return route?.isQuestion ? { to: 'ask', peer: sending.peer } : sending;
}

/** To a body by what is announced of it: its length, or that only its end will tell. */
export function objectionToBody(
  { method }: { readonly method?: string | undefined },
  { bodyLength }: { readonly bodyLength: number | undefined },
  { maxBodyBytes }: { readonly maxBodyBytes: number },
): Reason | undefined {
  // A body that means nothing (RFC 9110 section 9.3.1) would be read by one and taken for a request by another.
  if (method !== 'POST' && bodyLength !== 0) return 'bad_request';
  return (bodyLength ?? 0) > maxBodyBytes ? 'body_too_large' : undefined;
}

/** A refusal that no key would change. */
export function toRefusal(reason: Reason, route: Pick<HttpRoute, 'unset'> | undefined): Refusal {
  const option = reason === 'not_found' ? route?.unset : undefined;
  return { verdict: 'refuse', reason, ...(option !== undefined && { option }) };
}
