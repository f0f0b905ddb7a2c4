import * as http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { Cidr } from '../keys/scope.ts';
import { createEdge } from '../plane/library/edge.ts';
import { createExchanges } from '../plane/library/exchange.ts';
import type {
  AuthzPort,
  BoundAddress,
  ListenerOptions,
  PlaneLimits,
  PlaneObserver,
  Port,
  TurnedAway,
} from '../plane/plane.ts';
import { isInside } from '../verdict/address.ts';
import { createForwardAuth } from './forward-auth.ts';
import type { ForwardAuthOptions } from './forward-auth.ts';
import { createJudge } from './judge.ts';
import type { Judge, JudgeOptions } from './judge.ts';
import type { AuthzSide } from './side.ts';

/** What may be another from one moment to the next. */
export interface AuthorizerRenewal {
  /** Those that are to be open. Addresses stay, and a port has TLS or not as it had. */
  readonly listen: Readonly<Record<AuthzPort, ListenerOptions | undefined>>;
  /** Networks of further proxies, which say whom they have a request from. */
  readonly proxies: readonly Cidr[];
}

export interface AuthorizerOptions extends Omit<JudgeOptions, 'exchanges'>, AuthorizerRenewal {
  /** maxConnections is read when it is needed. */
  readonly limits: PlaneLimits;
  readonly observer: PlaneObserver;
  /** Why this gateway should not be asked, if so. */
  readonly notReady: () => string | undefined;
}

export type AuthzAddresses = Partial<Readonly<Record<AuthzPort, BoundAddress>>>;

/** Answers other proxies, which relay requests themselves, by the same gate. */
export interface Authorizer {
  listen(): Promise<AuthzAddresses>;
  accept(port: AuthzPort, socket: Socket): void;
  /** Ends within this time. */
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
  /** What holds from now on, and so many connections as the limits say now; those that are open stay. */
  renew(next: AuthorizerRenewal): void;
}

export function isAuthzPort(port: Port): port is AuthzPort {
  return port === 'authz_grpc' || port === 'authz_http';
}

/** grpc-js is a good part of the memory of a gateway that has just started: it is there only for Envoy. */
export async function createAuthorizer(options: AuthorizerOptions): Promise<Authorizer> {
  const { listen, limits, observer, notReady } = options;
  let { proxies } = options;
  const judge = createJudge({ ...options, exchanges: createExchanges(observer) });
  const isProxy = (address: string): boolean => isInside(proxies, address);
  const sides = new Map<AuthzPort, AuthzSide>();
  const eventsOf = (port: AuthzPort) => ({
    onConnections: (open: number) => observer.connections(port, open),
    onTurnedAway: (...away: Away) => observer.turnedAway(port, ...away),
  });
  if (listen.authz_http) {
    const listener = listen.authz_http;
    sides.set('authz_http', createHttpSide({ judge, isProxy, listener, limits, ...eventsOf('authz_http') }));
  }
  if (listen.authz_grpc) {
    const { createExtAuthz } = await import('./ext-authz.ts');
    const listener = listen.authz_grpc;
    sides.set('authz_grpc', createExtAuthz({ judge, notReady, listener, limits, ...eventsOf('authz_grpc') }));
  }
  const all = [...sides.values()];

  async function close(): Promise<void> {
    await Promise.all(all.map((side) => side.close()));
  }

  return {
    async listen() {
      try {
        const opened = [...sides].map(async ([port, side]) => {
          const { address: host, port: number } = await side.listen();
          return [port, { host, port: number }] as const;
        });
        return Object.fromEntries(await Promise.all(opened));
      } catch (error) {
        await close();
        throw error;
      }
    },
    accept(port, socket) {
      const side = sides.get(port);
      if (side === undefined) socket.destroy();
      else side.accept(socket);
    },
    async drain(timeoutMs) {
      const late = setTimeout(() => void close(), timeoutMs);
      await Promise.all(all.map((side) => side.drain()));
      clearTimeout(late);
    },
    close,
    renew(next) {
      proxies = next.proxies;
      for (const [port, side] of sides) {
        const listener = next.listen[port];
        if (listener) side.renew(listener);
      }
    },
  };
}

interface HttpSideOptions extends ForwardAuthOptions {
  readonly judge: Judge;
  readonly listener: ListenerOptions;
  readonly limits: PlaneLimits;
  readonly onConnections: (open: number) => void;
  readonly onTurnedAway: (...away: Away) => void;
}

type Away = [why: TurnedAway, peer: string | undefined, cause?: string];

/** The library plane's own edge, with its bounds; what is asked about is no matter to it. */
function createHttpSide({ listener, limits, ...options }: HttpSideOptions): AuthzSide {
  const onHttp = createForwardAuth(options);
  return createEdge(listener, limits, {
    ...options,
    onHttp,
    // Envoy, over HTTP/2, asks about a gRPC request with the Content-Type of that.
    onGrpc: (stream, headers, fields) =>
      onHttp(new http2.Http2ServerRequest(stream, headers, {}, [...fields]), new http2.Http2ServerResponse(stream)),
  });
}
