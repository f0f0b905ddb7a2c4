import type { Config } from './config/schema.ts';
import type { Desk } from './plane/desk.ts';
import { createGrpcRoutes, createHttpRoutes } from './plane/routes.ts';
import type { GrpcRoutes, HttpRoutes, RelayedPaths, RelayedSection } from './plane/routes.ts';
import { Standing } from './standing.ts';
import type { GrpcChannel } from './upstream/grpc-channel.ts';
import { createHttpForward } from './upstream/http-forward.ts';
import type { HttpForward } from './upstream/http-forward.ts';
import { parseTarget } from './upstream/target.ts';
import type { UpstreamTarget, UpstreamTls } from './upstream/target.ts';

/** All that is behind this gateway, and which path leads where. */
export interface Upstreams {
  /** Absent: there is no collector for gRPC, or not for this plane. */
  readonly channel: GrpcChannel | undefined;
  readonly grpcRoutes: GrpcRoutes;
  readonly routes: HttpRoutes;
  /** Requests from now on go where this configuration says; those under way end where they are. */
  renew(config: Config, tls: UpstreamTls): void;
  close(): void;
}

/** What makes an upstream; another one is made only if this has changed. */
interface Wanted {
  readonly target: UpstreamTarget;
  readonly tls: UpstreamTls | undefined;
}

const NO_TLS: UpstreamTls = { ca: undefined, cert: undefined, key: undefined };

/**
 * With a channel for gRPC only if the library plane is to relay it: grpc-js, and what that needs, is a good part of the memory of
 * a gateway that has just started, and what the wire plane hands over is HTTP/1.1.
 */
export async function createUpstreams(config: Config, tls: UpstreamTls, desk?: Desk): Promise<Upstreams> {
  const renewals: ((config: Config, tls: UpstreamTls) => void)[] = [];
  const closings: (() => void)[] = [];

  /** An upstream that is configured stays one: from null and to null only a restart leads. */
  function stand<T extends { close(): void }>(
    urlOf: (config: Config) => string | null,
    make: (target: UpstreamTarget, targetTls: UpstreamTls) => T,
  ): Standing<Wanted, T> | undefined {
    const wanted = (next: Config, nextTls: UpstreamTls): Wanted | undefined => {
      const url = urlOf(next);
      if (url === null) return undefined;
      const target = parseTarget(url);
      return { target, tls: target.secure ? nextTls : undefined };
    };
    const first = wanted(config, tls);
    if (first === undefined) return undefined;
    const standing = new Standing(
      first,
      (each) => make(each.target, each.tls ?? NO_TLS),
      (old) => old.close(),
    );
    renewals.push((next, nextTls) => {
      const nextWanted = wanted(next, nextTls);
      if (nextWanted !== undefined) standing.want(nextWanted);
    });
    closings.push(() => standing.current.close());
    return standing;
  }

  function forwardTo(urlOf: (config: Config) => string | null): HttpForward | undefined {
    const standing = stand(urlOf, createHttpForward);
    return (
      standing && {
        send: (request, events) => standing.current.send(request, events),
        close: () => standing.current.close(),
      }
    );
  }

  function relayed(section: RelayedSection): RelayedPaths | undefined {
    const forward = forwardTo(({ routes }) => routes[section].target);
    return forward && { ...config.routes[section], forward };
  }

  const grpc =
    config.plane === 'library'
      ? stand(({ upstream }) => upstream.grpc, (await import('./upstream/grpc-channel.ts')).createGrpcChannel)
      : undefined;
  return {
    channel: grpc && {
      open: (path, fields, deadlineMs) => grpc.current.open(path, fields, deadlineMs),
      close: () => grpc.current.close(),
    },
    grpcRoutes: createGrpcRoutes(config.routes.grpc.paths),
    routes: createHttpRoutes({
      otlp: forwardTo(({ upstream }) => upstream.http),
      rum: relayed('rum'),
      remoteConfig: relayed('remoteConfig'),
      agent: { paths: config.routes.agent.paths, forward: forwardTo(({ routes }) => routes.agent.target) },
      logs: relayed('logs'),
      singles: relayed('singles'),
      remoteWrite: relayed('remoteWrite'),
      tokens: desk && { paths: config.keys.tokens.paths, desk },
      pagesOverOtlp: config.routes.rum.otlp,
    }),
    renew(next, nextTls) {
      for (const renew of renewals) renew(next, nextTls);
    },
    close() {
      for (const close of closings) close();
    },
  };
}
