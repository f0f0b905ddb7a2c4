import type { AuthorizerOptions, AuthorizerRenewal } from './authorizer/authorizer.ts';
import type { Config } from './config/schema.ts';
import { listener, planeLimits } from './plane-options.ts';
import type { ReadBytes } from './plane-options.ts';
import { checkTls } from './plane/listener-tls.ts';
import type { AuthzPort } from './plane/plane.ts';
import { createGrpcRoutes, createHttpRoutes } from './plane/routes.ts';

// The configuration, in the words of what answers other proxies.

/** Where they ask; nothing is open unless it has an address. */
export function authzAddresses({ authz: { grpc, http } }: Pick<Config, 'authz'>): Partial<Record<AuthzPort, string>> {
  return {
    ...(grpc.address !== null && { authz_grpc: grpc.address }),
    ...(http.address !== null && { authz_http: http.address }),
  };
}

/** What a reload may change. Throws if it cannot be used. */
export function authorizerRenewal(config: Config, read: ReadBytes): AuthorizerRenewal {
  const { grpc, http, proxies } = config.authz;
  // Nobody who asks has a key of his own.
  const at = ({ address, tls }: typeof grpc) =>
    address === null ? undefined : listener({ address, tls }, read, { needsClientCertificate: true });
  const listen = { authz_grpc: at(grpc), authz_http: at(http) };
  checkTls(Object.values(listen), planeLimits(config));
  return { listen, proxies };
}

export function authorizerOptions(
  config: Config,
  read: ReadBytes,
): Omit<AuthorizerOptions, 'gate' | 'limits' | 'observer' | 'notReady'> {
  const { routes, keys } = config;
  return {
    ...authorizerRenewal(config, read),
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
