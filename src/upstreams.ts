import { readFileSync } from 'node:fs';
import type { Config } from './config/schema.ts';
import { createGrpcRoutes, createHttpRoutes } from './plane/routes.ts';
import type { GrpcRoutes, HttpRoutes, RelayedPaths } from './plane/routes.ts';
import type { GrpcChannel } from './upstream/grpc-channel.ts';
import { createHttpForward } from './upstream/http-forward.ts';
import type { HttpForward } from './upstream/http-forward.ts';
import { parseTarget } from './upstream/target.ts';
import type { UpstreamTls } from './upstream/target.ts';

/** All that is behind this gateway, and which path leads where. */
export interface Upstreams {
  /** Absent: there is no collector for gRPC, or not for this plane. */
  readonly channel: GrpcChannel | undefined;
  readonly grpcRoutes: GrpcRoutes;
  readonly routes: HttpRoutes;
  close(): void;
}

/**
 * With a channel for gRPC only if the library plane is to relay it: grpc-js, and what that needs, is a good part of the memory of
 * a gateway that has just started, and what the wire plane hands over is HTTP/1.1.
 */
export async function createUpstreams({ plane, upstream, routes }: Config): Promise<Upstreams> {
  const tls = readTls(upstream.tls);
  const forwards: HttpForward[] = [];

  function forwardTo(target: string | null): HttpForward | undefined {
    if (target === null) return undefined;
    const forward = createHttpForward(parseTarget(target), tls);
    forwards.push(forward);
    return forward;
  }

  function relayed({ target, paths }: Config['routes']['rum']): RelayedPaths | undefined {
    const forward = forwardTo(target);
    return forward && { paths, forward };
  }

  const channel =
    plane === 'library' && upstream.grpc !== null
      ? (await import('./upstream/grpc-channel.ts')).createGrpcChannel(parseTarget(upstream.grpc), tls)
      : undefined;
  return {
    channel,
    grpcRoutes: createGrpcRoutes(routes.grpc.paths),
    routes: createHttpRoutes({
      otlp: forwardTo(upstream.http),
      rum: relayed(routes.rum),
      remoteConfig: relayed(routes.remoteConfig),
    }),
    close() {
      channel?.close();
      for (const forward of forwards) forward.close();
    },
  };
}

export function readTls(tls: Config['upstream']['tls']): UpstreamTls {
  const read = (path: string | null): Buffer | undefined => (path === null ? undefined : readFileSync(path));
  return { ca: read(tls.ca), cert: read(tls.cert), key: read(tls.key) };
}
