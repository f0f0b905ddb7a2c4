import type { Config } from './config/schema.ts';
import { createToUpstream } from './headers.ts';
import { listener, corsRules, planeLimits } from './plane-options.ts';
import { createLibraryPlane } from './plane/library/library-plane.ts';
import type { LibraryPlaneOptions } from './plane/library/library-plane.ts';
import type { Plane } from './plane/plane.ts';
import { createCors } from './plane/cors.ts';
import { toWireRoutes } from './plane/wire/request-head.ts';
import { NamesInBlocks } from './plane/wire/http2/block-walk.ts';
import { createIsVarying, varyingNames } from './plane/wire/varying.ts';
import { createWirePlane } from './plane/wire/wire-plane.ts';
import type { WirePlaneOptions } from './plane/wire/wire-plane.ts';
import { createUpstreams } from './upstreams.ts';
import { createWireUpstreams } from './wire-upstreams.ts';
import type { WireUpstreamOptions } from './wire-upstreams.ts';

export interface DataPathOptions
  extends
    Pick<LibraryPlaneOptions, 'gate' | 'debit' | 'observer' | 'now'>,
    Pick<WirePlaneOptions, 'budgetSpent'>,
    Pick<WireUpstreamOptions, 'observe'> {
  readonly config: Config;
}

/** The data path that the configuration asks for, with all that is behind it. */
export async function createDataPath({ config, observe, budgetSpent, ...given }: DataPathOptions): Promise<Plane> {
  const carriers = config.keys.carriers;
  const tenantHeader = config.keys.tenantHeader ?? undefined;
  const cors = corsRules(config.cors);
  const common = {
    ...given,
    listen: { grpc: listener(config.listen.grpc), http: listener(config.listen.http) },
    limits: planeLimits(config.limits),
    upstreamTimeoutMs: config.upstream.timeout,
  };

  const libraryUpstreams = await createUpstreams(config);
  const library = createLibraryPlane({ ...common, ...libraryUpstreams, carriers, tenantHeader, cors });
  if (config.plane === 'library') return closingAlso(library, libraryUpstreams);

  // What the wire plane leaves to the library plane goes its way to the end.
  const upstreams = createWireUpstreams(config, { toUpstream: createToUpstream({ carriers, tenantHeader }), observe });
  const wire = createWirePlane({
    ...common,
    budgetSpent,
    cors: cors && createCors(cors, carriers),
    isVarying: createIsVarying(carriers, tenantHeader),
    varyingInBlocks: new NamesInBlocks(varyingNames(carriers, tenantHeader)),
    grpcRoutes: toWireRoutes(libraryUpstreams.grpcRoutes, upstreams.grpc),
    httpRoutes: upstreams.routes,
    checkUpstreams: upstreams.check,
    fallback: library,
  });
  return closingAlso(wire, libraryUpstreams, upstreams);
}

function closingAlso(plane: Plane, ...others: readonly { close(): void }[]): Plane {
  return {
    ...plane,
    async close() {
      await plane.close();
      for (const other of others) other.close();
    },
  };
}
