import type { AuthorizerOptions } from './authorizer/authorizer.ts';
import type { Config } from './config/schema.ts';
import { parseAddress } from './listening.ts';
import type { AuthzPort } from './plane/plane.ts';
import { createGrpcRoutes, createHttpRoutes } from './plane/routes.ts';

// The configuration, in the words of what answers other proxies.

/** Where they ask; nothing is open unless it has an address. */
export function authzAddresses({ authz: { grpc, http } }: Pick<Config, 'authz'>): Partial<Record<AuthzPort, string>> {
  return { ...(grpc !== null && { authz_grpc: grpc }), ...(http !== null && { authz_http: http }) };
}

export function authorizerOptions(
  config: Config,
): Pick<AuthorizerOptions, 'listen' | 'proxies' | 'routes' | 'carriers' | 'tenantHeader'> {
  const { routes, keys, authz } = config;
  const places = Object.entries(authzAddresses(config)).map(
    ([port, address]) => [port, parseAddress(address)] as const,
  );
  return {
    listen: Object.fromEntries(places),
    proxies: authz.proxies,
    // All of them, with a target or not: who answers there is the proxy's business.
    routes: {
      grpc: createGrpcRoutes(routes.grpc.paths),
      http: createHttpRoutes<null>({
        otlp: null,
        rum: { paths: routes.rum.paths, forward: null },
        remoteConfig: { paths: routes.remoteConfig.paths, forward: null },
        agent: { paths: routes.agent.paths, forward: null },
        logs: { paths: routes.logs.paths, forward: null },
        singles: { paths: routes.singles.paths, forward: null },
        remoteWrite: { paths: routes.remoteWrite.paths, forward: null },
        pagesOverOtlp: routes.rum.otlp,
      }),
    },
    carriers: keys.carriers,
    tenantHeader: keys.tenantHeader ?? undefined,
  };
}
