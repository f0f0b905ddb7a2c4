import type { RawFields } from '../credential/read.ts';
import type { KeyRecord, Signal } from '../keys/record.ts';
import { affirm } from '../reply/http.ts';
import type { HttpReply, RefusalForm } from '../reply/http.ts';
import type { HttpForward } from '../upstream/http-forward.ts';
import type { Asking, Refusal, Route, Sending } from '../verdict/decide.ts';
import type { Reason } from '../verdict/reasons.ts';
import { readAgentTarget } from './agent-paths.ts';
import type { Desk } from './desk.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from './otlp-paths.ts';
import type { PlaneLimits } from './plane.ts';

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
  readonly plainRefusals: RefusalForm;
  /** Less than all routes take. */
  readonly maxBodyBytes?: number | undefined;
  /** Absent: nobody is configured to answer. */
  readonly forward: Behind | undefined;
  /** The option that has to be set for there to be such a route. */
  readonly unset?: string;
  /** It is asked here whether a key is good, and the gateway itself answers. */
  readonly isQuestion?: true;
  /** Why nobody is served here, whoever it is. Absent: requests are judged. */
  readonly refusal?: Reason;
  /** The key stands in the body, and we answer. */
  readonly desk?: Desk | undefined;
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
  /** Less than all routes take, in bytes. */
  readonly maxRequest?: number | undefined;
}

/** Those that the configuration has, by the names that it has for them. */
export type RelayedSection = 'rum' | 'remoteConfig' | 'logs' | 'singles' | 'remoteWrite';

/** Paths that we answer. */
export interface DeskPaths {
  readonly paths: readonly string[];
  readonly desk: Desk;
}

/** Of what is absent there are no routes. */
export interface HttpUpstreams<Behind = HttpForward> extends Readonly<
  Partial<Record<RelayedSection, RelayedPaths<Behind> | undefined>>
> {
  /** Absent: the routes are there all the same, and say that there is no collector. */
  readonly otlp: Behind | undefined;
  /** Whoever looks for one that is not there is told how to have it. */
  readonly agent: Omit<RelayedPaths<Behind>, 'forward'> & Pick<HttpRoute<Behind>, 'forward'>;
  /** Whether pages of other origins may use OTLP/HTTP, and keys of type rum be used there. */
  readonly pagesOverOtlp?: boolean;
  readonly tokens?: DeskPaths | undefined;
}

const NO_KEYS: RawFields = [];

/**
 * OTLP's own paths win over any others; the configuration has refused those that are named twice. A path must match exactly, but
 * for those of agents. Queries are no part of a route and do not go on, because a query could hold a key. Agents put theirs there;
 * what is left of such a query goes on.
 */
export function createHttpRoutes<Behind = HttpForward>(upstreams: HttpUpstreams<Behind>): HttpRoutes<Behind> {
  const { otlp, rum, remoteConfig, agent, logs, singles, remoteWrite, tokens, pagesOverOtlp = true } = upstreams;
  const routes = new Map<string, HttpRoute<Behind>>();
  const add = (paths: readonly string[] = [], route: HttpRoute<Behind>): void => {
    for (const path of paths) routes.set(path, route);
  };
  const posted = { signal: undefined, methods: ['POST'], forPages: false, plainRefusals: 'json' } as const;
  const read = { ...posted, methods: ['GET', 'HEAD'] } as const;

  // A page that sends gRPC-Web asks for leave first: it gets it, and then it gets to read why that is not spoken here.
  const ofGrpc = { forPages: true, plainRefusals: 'text', forward: undefined, refusal: 'grpc_only' } as const;
  for (const [path, signal] of GRPC_ROUTES) add([path], { ...posted, name: 'otlp-grpc', signal, ...ofGrpc });
  add(tokens?.paths, {
    ...posted,
    name: 'token',
    plainRefusals: 'iam',
    maxBodyBytes: tokens?.desk.maxBodyBytes,
    forward: undefined,
    desk: tokens?.desk,
  });
  add(remoteConfig?.paths, { ...read, name: 'remote-config', forward: remoteConfig?.forward });
  add(rum?.paths, { ...posted, name: 'rum', forPages: true, forward: rum?.forward });
  add(remoteWrite?.paths, { ...posted, name: 'remote-write', signal: 'metrics', forward: remoteWrite?.forward });
  add(logs?.paths, { ...posted, name: 'logs', signal: 'logs', forward: logs?.forward });
  const { maxRequest: maxBodyBytes } = singles ?? {};
  add(singles?.paths, { ...posted, name: 'logs', signal: 'logs', maxBodyBytes, forward: singles?.forward });
  for (const [path, signal] of HTTP_ROUTES) {
    const ofOtlp = { forPages: pagesOverOtlp, plainRefusals: 'text', forward: otlp } as const;
    routes.set(path, { ...posted, name: 'otlp-http', signal, ...ofOtlp });
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

/** What we answer ourselves on a route to whoever has this key; undefined where somebody else does. */
export function ownAnswer(
  route: Pick<HttpRoute, 'isQuestion' | 'desk'> | undefined,
  key: KeyRecord,
  asked: { readonly requestId: string },
): HttpReply | undefined {
  return route?.isQuestion ? affirm(asked.requestId) : route?.desk?.answer(key, asked.requestId);
}

/** How large the body of a request may be: some routes take less than others. */
export function maxBodyBytes(route: Pick<HttpRoute, 'maxBodyBytes'> | undefined, limits: BodyLimits): number {
  return Math.min(route?.maxBodyBytes ?? Infinity, limits.maxBodyBytes);
}

type BodyLimits = Pick<PlaneLimits, 'maxBodyBytes'>;

/** What a key is wanted for on a route. */
export function toUse(route: Pick<HttpRoute, 'isQuestion'> | undefined, sending: Sending): Sending | Asking {
  return route?.isQuestion ? { to: 'ask', peer: sending.peer } : sending;
}

/** To a body by what is announced of it: its length, or that only its end will tell. */
export function objectionToBody(
  { method }: { readonly method?: string | undefined },
  { bodyLength }: { readonly bodyLength: number | undefined },
  route: Pick<HttpRoute, 'maxBodyBytes'> | undefined,
  limits: BodyLimits,
): Reason | undefined {
  // A body that means nothing (RFC 9110 section 9.3.1) would be read by one and taken for a request by another.
  if (method !== 'POST' && bodyLength !== 0) return 'bad_request';
  return (bodyLength ?? 0) > maxBodyBytes(route, limits) ? 'body_too_large' : undefined;
}

/** A refusal that no key would change. */
export function toRefusal(reason: Reason, route: Pick<HttpRoute, 'unset'> | undefined): Refusal {
  const option = reason === 'not_found' ? route?.unset : undefined;
  return { verdict: 'refuse', reason, ...(option !== undefined && { option }) };
}
