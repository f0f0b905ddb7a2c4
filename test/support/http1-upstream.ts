import type { TestContext } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { createToUpstream } from '../../src/headers.ts';
import { createHttp1Upstream } from '../../src/plane/wire/http1/pool.ts';
import type { Http1Upstream, Http1UpstreamOptions } from '../../src/plane/wire/http1/pool.ts';
import { createEndpoints } from '../../src/upstream/endpoints.ts';
import { parseTarget } from '../../src/upstream/target.ts';

const CHECK_MS = 50;

/** The pool of the wire plane before a collector at this URL. */
export function startHttp1Upstream(
  t: TestContext,
  url: string,
  options: Partial<Http1UpstreamOptions> = {},
): Http1Upstream {
  const target = parseTarget(url);
  const endpoints = createEndpoints({
    target,
    resolveIntervalMs: 30_000,
    now: () => performance.now(),
    random: Math.random,
  });
  const upstream = createHttp1Upstream({
    target,
    tls: { ca: undefined, cert: undefined, key: undefined },
    endpoints,
    toUpstream: createToUpstream({ carriers: configSchema.parse({}).keys.carriers, tenantHeader: undefined }),
    connectTimeoutMs: 2_000,
    ...options,
  });
  const checking = setInterval(() => upstream.check(performance.now()), CHECK_MS);
  t.after(() => {
    clearInterval(checking);
    upstream.close();
    endpoints.close();
  });
  return upstream;
}
