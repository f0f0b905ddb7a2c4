import { createSecureContext } from 'node:tls';
import type { Config } from './config/schema.ts';
import { createToUpstream } from './headers.ts';
import { corsOf, listeners, planeLimits, upstreamTls } from './plane-options.ts';
import type { ReadBytes } from './plane-options.ts';
import { createLibraryPlane } from './plane/library/library-plane.ts';
import type { LibraryPlaneOptions } from './plane/library/library-plane.ts';
import { checkTls } from './plane/listener-tls.ts';
import type { Desk } from './plane/desk.ts';
import type { ListenerOptions, Plane, PlaneLimits, Protocol } from './plane/plane.ts';
import { toWireRoutes } from './plane/wire/request-head.ts';
import { NamesInBlocks } from './plane/wire/http2/block-walk.ts';
import { createIsVarying, varyingNames } from './plane/wire/varying.ts';
import { createWirePlane } from './plane/wire/wire-plane.ts';
import type { WirePlaneOptions } from './plane/wire/wire-plane.ts';
import { createUpstreams } from './upstreams.ts';
import type { Upstreams } from './upstreams.ts';
import type { UpstreamTls } from './upstream/target.ts';
import { createWireUpstreams } from './wire-upstreams.ts';
import type { WireUpstreamOptions, WireUpstreams } from './wire-upstreams.ts';

export interface DataPathOptions
  extends
    Pick<LibraryPlaneOptions, 'gate' | 'debit' | 'observer' | 'now'>,
    Pick<WirePlaneOptions, 'budgetSpent'>,
    Pick<WireUpstreamOptions, 'observe'> {
  readonly config: Config;
  readonly read: ReadBytes;
  /** Exchanges keys for tokens. */
  readonly desk: Desk | undefined;
}

/** The data path with all that is behind it. */
export interface DataPath extends Omit<Plane, 'renew'> {
  /**
   * Reads what another configuration needs, and throws if it cannot be used; what is returned makes it hold. Only options that a
   * reload may change can be different.
   */
  prepare(config: Config, read: ReadBytes): () => void;
}

type Listen = Readonly<Record<Protocol, ListenerOptions>>;

/** The data path that the configuration asks for. */
export async function createDataPath(options: DataPathOptions): Promise<DataPath> {
  const { config, read, observe, budgetSpent, desk, ...given } = options;
  const carriers = config.keys.carriers;
  const tenantHeader = config.keys.tenantHeader ?? undefined;
  const limits: PlaneLimits = { ...planeLimits(config) };
  const common = { ...given, listen: listeners(config, read), limits, cors: corsOf(config) };

  const tls = upstreamTls(config.upstream, read);
  const libraryUpstreams = await createUpstreams(config, tls, desk);
  const library = createLibraryPlane({ ...common, ...libraryUpstreams, carriers, tenantHeader });
  if (config.plane === 'library') return toDataPath(library, limits, [libraryUpstreams]);

  // What the wire plane leaves to the library plane goes its way to the end.
  const toUpstream = createToUpstream({ carriers, tenantHeader });
  const upstreams = createWireUpstreams(config, tls, { toUpstream, observe, desk });
  const wire = createWirePlane({
    ...common,
    budgetSpent,
    isVarying: createIsVarying(carriers, tenantHeader),
    varyingInBlocks: new NamesInBlocks(varyingNames(carriers, tenantHeader)),
    grpcRoutes: toWireRoutes(libraryUpstreams.grpcRoutes, upstreams.grpc),
    httpRoutes: upstreams.routes,
    checkUpstreams: upstreams.check,
    fallback: library,
  });
  return toDataPath(wire, limits, [libraryUpstreams, upstreams]);
}

/** `limits` is what the plane reads them from. */
function toDataPath(
  plane: Plane,
  limits: PlaneLimits,
  upstreams: readonly Pick<Upstreams | WireUpstreams, 'renew' | 'close'>[],
): DataPath {
  return {
    ...plane,
    async close() {
      await plane.close();
      for (const each of upstreams) each.close();
    },
    prepare(config, read) {
      const listen = listeners(config, read);
      const tls = upstreamTls(config.upstream, read);
      const cors = corsOf(config);
      const nextLimits = planeLimits(config);
      refuseUnusable(listen, tls, nextLimits);
      return () => {
        Object.assign(limits, nextLimits);
        plane.renew({ listen, cors });
        for (const each of upstreams) each.renew(config, tls);
      };
    },
  };
}

/** A certificate that does not fit its key, or is none: found out before anything has changed. */
function refuseUnusable(listen: Listen, { ca, cert, key }: UpstreamTls, limits: PlaneLimits): void {
  checkTls(Object.values(listen), limits);
  createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
}
