import { join } from 'node:path';
import type { Neighbour } from '../neighbour.ts';
import { buildRust, pinned } from '../sdks/build.ts';
import { sendBy } from '../sdks/order.ts';
import { tryOut } from '../sdks/table.ts';

const FOUR_TRIES = 'it tries four times, in at most 10 s';
/** Where nobody answers there is no delay to obey, and its own are 0.1, 0.2 and 0.4 s. */
const UNDER_A_SECOND = 'where nobody listens, its four tries are over within a second';
const MANNER = { tellsWhy: true, loses: { away60: FOUR_TRIES, restarted: UNDER_A_SECOND } };

export const neighbour: Neighbour = {
  title: 'OpenTelemetry SDK for Rust',
  about: `
A program with \`opentelemetry-otlp\`, whose exporters take protocol, address and header from \`OTEL_EXPORTER_OTLP_*\`. They do not know
\`OTEL_EXPORTER_OTLP_CERTIFICATE\`. Over HTTP the exporter trusts the authorities of the system, which \`SSL_CERT_FILE\` replaces here; over gRPC it
trusts nobody until code says whom, so that the program reads that file and calls \`with_tls_config\`. What a refusal says is in its log at level
\`debug\` only (\`RUST_LOG=opentelemetry-otlp=debug\`, as here); at the others it is the status alone.`,
  run: (site) =>
    tryOut(site, {
      versions: {
        'opentelemetry-otlp': pinned(join(import.meta.dirname, 'Cargo.toml'), /otlp = \{ version = "=(.+?)"/),
      },
      protocols: ['grpc', 'http/protobuf', 'http/json'],
      make: () => ({
        send: sendBy({
          command: buildRust(site, import.meta.dirname),
          variables: ({ ca }) => ({ SSL_CERT_FILE: ca, RUST_LOG: 'info,opentelemetry-otlp=debug' }),
        }),
        manners: { grpc: MANNER, 'http/protobuf': MANNER, 'http/json': MANNER },
      }),
    }),
};
