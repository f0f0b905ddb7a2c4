import { join } from 'node:path';
import type { Neighbour } from '../neighbour.ts';
import { buildGo, pinned } from '../sdks/build.ts';
import { sendBy } from '../sdks/order.ts';
import { tryOut } from '../sdks/table.ts';

const OVER_ITS_TIME = 'it gives up on a batch after 10 s';

export const neighbour: Neighbour = {
  title: 'OpenTelemetry SDK for Go',
  about: `
A program with \`autoexport\`, which takes protocol, address, header and certificate from \`OTEL_EXPORTER_OTLP_*\`.`,
  run: (site) =>
    tryOut(site, {
      versions: {
        'OpenTelemetry Go': pinned(join(import.meta.dirname, 'go.mod'), /go\.opentelemetry\.io\/otel\/sdk v(\S+)/),
        autoexport: pinned(join(import.meta.dirname, 'go.mod'), /exporters\/autoexport v(\S+)/),
      },
      protocols: ['grpc', 'http/protobuf'],
      make: () => ({
        send: sendBy({ command: buildGo(site, import.meta.dirname) }),
        manners: {
          grpc: { tellsWhy: true, loses: { away60: OVER_ITS_TIME } },
          'http/protobuf': {
            tellsWhy: true,
            loses: {
              away60: 'its batch processors give up after 30 s',
              restarted: 'over HTTP it does not try again where nobody listens',
            },
          },
        },
      }),
    }),
};
