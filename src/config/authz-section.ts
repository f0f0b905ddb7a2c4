import { z } from 'zod';
import { parseCidr } from '../keys/scope.ts';
import { serverTls } from './server-tls.ts';
import { address } from './values.ts';

const network = z
  .string()
  .transform((text, context) => {
    const result = parseCidr(text);
    if ('value' in result) return result.value;
    context.addIssue({ code: 'custom', message: result.problem });
    return z.NEVER;
  })
  .meta({ form: 'a network such as `10.0.0.0/8`, or an address' });

const tls = serverTls({
  about: 'TLS 1.2 or newer, with ALPN. Without it the port speaks plaintext.',
  without: 'A client without one is turned away: there is no key by which to know who asks. null: none is asked for.',
});

/** Where other proxies ask. Nothing here is open unless it is named. */
export const authz = z
  .strictObject({
    grpc: z
      .strictObject({
        address: address
          .nullable()
          .default(null)
          .describe(
            'Where Envoy asks (ext_authz over gRPC, envoy.service.auth.v3) and checks our health (grpc.health.v1). null: nowhere.',
          )
          .meta({ examples: ['127.0.0.1:9191'] }),
        tls,
      })
      .prefault({})
      .describe('The port for Envoy.'),
    http: z
      .strictObject({
        address: address
          .nullable()
          .default(null)
          .describe(
            'Where nginx, HAProxy, Traefik, Caddy and Envoy ask over HTTP, at /authz. Whoever reaches this port or the one above may say for ' +
              'whom he asks: let nobody but proxies do so. null: nowhere.',
          )
          .meta({ examples: ['127.0.0.1:9192'] }),
        tls,
      })
      .prefault({})
      .describe('The port for all others.'),
    proxies: z
      .array(network)
      .max(100)
      .default([])
      .describe(
        'Further proxies before the one that asks over HTTP: the sender is the last in X-Forwarded-For that is none of these.',
      )
      .meta({ reloads: 'yes' }),
  })
  .prefault({})
  .describe('For other proxies, which relay telemetry themselves and ask Keygate whether they may (docs/authorizer.md).');
