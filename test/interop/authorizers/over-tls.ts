import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createSignedCertificate } from '../../support/tls.ts';
import type { Scope } from '../../support/scope.ts';

/** The files by which a proxy and Keygate know each other. */
export interface TlsFiles {
  /** Of Keygate: what it shows, and which authority has to have signed what it is shown. */
  readonly keygate: { readonly cert: string; readonly key: string; readonly clientCa: string };
  /** Of the proxy: the authority that it trusts, and what it shows; `pem` is certificate and key in one. */
  readonly proxy: { readonly ca: string; readonly cert: string; readonly key: string; readonly pem: string };
}

export async function createTlsFiles(scope: Scope): Promise<TlsFiles> {
  const [server, client] = [await createSignedCertificate(scope), await createSignedCertificate(scope)];
  const pem = join(await temporaryDirectory(scope), 'proxy.pem');
  writeFileSync(pem, `${client.cert}\n${client.key}`);
  return {
    keygate: { cert: server.certPath, key: server.keyPath, clientCa: client.authorityPath },
    proxy: { ca: server.authorityPath, cert: client.certPath, key: client.keyPath, pem },
  };
}

/** A text in an example, and what is there instead. */
export type Edit = readonly [from: string, to: string];
export type OverTls = (files: TlsFiles['proxy']) => readonly Edit[];

/** What an operator changes in the examples to have Keygate asked over TLS: docs/authorizer.md says it in words. */
export const OVER_TLS = {
  envoy: ({ ca, cert, key }) => [
    [
      '    - name: keygate\n',
      `    - name: keygate
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
          sni: localhost
          common_tls_context:
            tls_certificates: [{ certificate_chain: { filename: ${cert} }, private_key: { filename: ${key} } }]
            validation_context:
              trusted_ca: { filename: ${ca} }
              match_typed_subject_alt_names: [{ san_type: DNS, matcher: { exact: localhost } }]
`,
    ],
  ],
  nginx: ({ ca, cert, key }) => [
    [
      'proxy_pass http://keygate/authz;',
      `proxy_pass https://keygate/authz;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate ${ca};
      proxy_ssl_name localhost;
      proxy_ssl_certificate ${cert};
      proxy_ssl_certificate_key ${key};`,
    ],
  ],
  haproxy: ({ ca, pem }) => [
    [
      'server keygate-0 keygate:9192',
      `server keygate-0 keygate:9192 ssl verify required ca-file ${ca} verifyhost localhost crt ${pem}`,
    ],
  ],
  traefik: ({ ca, cert, key }) => [
    [
      '          - url: http://keygate:9192',
      `          - url: https://keygate:9192
        serversTransport: keygate`,
    ],
    [
      '  services:\n',
      `  serversTransports:
    keygate:
      serverName: localhost
      rootCAs: [${ca}]
      certificates: [{ certFile: ${cert}, keyFile: ${key} }]
  services:
`,
    ],
  ],
  caddy: ({ ca, cert, key }) => [
    ['forward_auth keygate:9192', 'forward_auth https://keygate:9192'],
    [
      'transport http {',
      `transport http {
			tls_server_name localhost
			tls_trust_pool file ${ca}
			tls_client_auth ${cert} ${key}`,
    ],
  ],
} satisfies Readonly<Record<string, OverTls>>;
