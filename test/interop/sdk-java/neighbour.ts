import { join } from 'node:path';
import type { Neighbour } from '../neighbour.ts';
import { buildJava, pinned } from '../sdks/build.ts';
import { sendBy } from '../sdks/order.ts';
import { tryOut } from '../sdks/table.ts';

const OVER_ITS_TIME = 'it tries five times, in at most 10 s';
/** It waits for a random part of one second, then of one and a half, and so on, whatever it is told. */
const TOO_SOON = 'its five tries may all fall into two seconds';

export const neighbour: Neighbour = {
  title: 'OpenTelemetry SDK for Java',
  about: `
A program with \`opentelemetry-sdk-extension-autoconfigure\`, which takes protocol, address, header and certificate from
\`OTEL_EXPORTER_OTLP_*\`, as the Java agent does.`,
  run: (site) =>
    tryOut(site, {
      versions: {
        'OpenTelemetry Java': pinned(join(import.meta.dirname, 'pom.xml'), /<opentelemetry\.version>(.+?)</),
      },
      protocols: ['grpc', 'http/protobuf'],
      make: () => ({
        send: sendBy({ command: buildJava(site, import.meta.dirname) }),
        manners: {
          grpc: { tellsWhy: true, loses: { away2: TOO_SOON, away60: OVER_ITS_TIME } },
          'http/protobuf': { tellsWhy: true, loses: { away2: TOO_SOON, away60: OVER_ITS_TIME } },
        },
      }),
    }),
};
