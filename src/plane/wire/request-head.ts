import type { RawFields } from '../../credential/read.ts';
import type { Credential, Gate } from '../../gate.ts';
import type { ToUpstream } from '../../headers.ts';
import type { KeyRecord } from '../../keys/record.ts';
import type { Route, Sending } from '../../verdict/decide.ts';
import type { Reason } from '../../verdict/reasons.ts';
import type { Protocol } from '../plane.ts';
import type { GrpcRoutes, HttpRoute, HttpRoutes } from '../routes.ts';
import type { HeadEncoder, OnwardHead, Upstream } from './upstream-call.ts';

/**
 * What was read from the head of a request, but for the fields that differ from request to request. Connections remember
 * it by the bytes that it was read from. It holds no verdict and no secret: of the key only the digest is left.
 */
export interface RequestHead extends OnwardHead {
  readonly route: WireRoute | undefined;
  /** What is wrong with it, whoever sends it. */
  readonly objection: Reason | undefined;
  readonly credential: Credential;
  readonly use: Sending;
  readonly userAgent: string | undefined;
  readonly contentType: string | undefined;
}

/** What a request says beside its remembered head. */
export interface RequestStart {
  /** Fields of this request alone, checked and in lower case; never content-length. */
  readonly varying: RawFields;
  /** As announced; 0 without a body, absent if only its end will tell. */
  readonly bodyLength: number | undefined;
  /** How long the sender will wait; absent without a limit. */
  readonly timeoutMs: number | undefined;
  /** What is wrong with the above. */
  readonly objection: Reason | undefined;
}

/** Where a request may go, over either protocol. */
export interface WireRoute extends Omit<HttpRoute<Upstream>, 'name'> {
  readonly name: Route;
}

export interface HeadReaderOptions {
  readonly gate: Gate;
  readonly grpcRoutes: ReadonlyMap<string, WireRoute>;
  readonly httpRoutes: HttpRoutes<Upstream>;
}

/** A head as its protocol read it; names in any case. */
export interface HeadText {
  readonly protocol: Protocol;
  readonly method: string;
  /** The request target or `:path`. */
  readonly target: string;
  /** Without pseudo-header fields and without those of this request alone. */
  readonly fields: RawFields;
  readonly peer: string;
  /** What the protocol has found to be wrong. */
  readonly objection: Reason | undefined;
  readonly neverIndexed?: boolean;
}

export type HeadReader = (head: HeadText) => RequestHead;

export function createHeadReader({ gate, grpcRoutes, httpRoutes }: HeadReaderOptions): HeadReader {
  return ({ protocol, method, target, fields, peer, objection, neverIndexed = false }) => {
    const place = protocol === 'grpc' ? { route: grpcRoutes.get(target), target, keys: [] } : httpRoutes(target);
    const route: WireRoute | undefined = place.route;
    const methods: readonly string[] = route?.methods ?? ['POST'];
    const isNowhere = protocol === 'http' && (route === undefined || route.unset !== undefined);
    const wrong = objection ?? (isNowhere ? 'not_found' : undefined);
    const objectionToRoute = route === undefined ? 'not_found' : route.refusal;
    const objectionToPlace = methods.includes(method) ? objectionToRoute : 'method_not_allowed';
    return {
      protocol,
      method,
      path: place.target,
      route,
      objection: wrong ?? objectionToPlace,
      credential: gate.read(place.keys.length === 0 ? fields : [...fields, ...place.keys]),
      use: {
        to: 'send',
        signal: route?.signal,
        route: route?.name ?? (protocol === 'grpc' ? 'otlp-grpc' : 'otlp-http'),
        isNotForPages: route?.forPages === false,
        peer,
        origin: valueOf(fields, 'origin'),
      },
      userAgent: valueOf(fields, 'user-agent'),
      contentType: valueOf(fields, 'content-type'),
      fields,
      neverIndexed,
      onward: undefined,
    };
  };
}

/** The head as the upstream wants it: built once for a key, and again when its record or the upstream has changed. */
export function onwardBytes(head: OnwardHead, key: KeyRecord, toUpstream: ToUpstream, encode: HeadEncoder): Buffer {
  if (head.onward?.key !== key || head.onward.encode !== encode) {
    // Said anew by whoever sends the body on.
    const fields = toUpstream(head.fields, key).filter(([name]) => name !== 'content-length');
    head.onward = { key, encode, bytes: encode(head, fields) };
  }
  return head.onward.bytes;
}

/** The first value, as Node says it for the fields that may come once. */
export function valueOf(fields: RawFields, name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i]?.toLowerCase() === name) return fields[i + 1];
  return undefined;
}

/** Methods of gRPC are all answered by one collector. */
export function toWireRoutes(routes: GrpcRoutes, forward: Upstream | undefined): ReadonlyMap<string, WireRoute> {
  const common = { methods: ['POST'], forPages: false, plainRefusals: 'text', forward } as const;
  return new Map(Array.from(routes, ([path, route]) => [path, { ...route, ...common }]));
}
