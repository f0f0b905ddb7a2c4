import { join } from 'node:path';
import type { Neighbour } from '../neighbour.ts';
import { buildPython, pinned } from '../sdks/build.ts';
import { sendBy } from '../sdks/order.ts';
import { tryOut } from '../sdks/table.ts';

const OVER_ITS_TIME = 'it gives up on a batch after 10 s';

export const neighbour: Neighbour = {
  title: 'OpenTelemetry SDK for Python',
  about: `
A program under \`opentelemetry-instrument\`, which takes protocol, address, header and certificate from \`OTEL_EXPORTER_OTLP_*\`.`,
  run: (site) =>
    tryOut(site, {
      versions: {
        'OpenTelemetry Python': pinned(join(import.meta.dirname, 'requirements.txt'), /exporter-otlp==(\S+)/),
        'opentelemetry-distro': pinned(join(import.meta.dirname, 'requirements.txt'), /distro==(\S+)/),
      },
      protocols: ['grpc', 'http/protobuf'],
      make: () => ({
        send: sendBy({ command: buildPython(site, import.meta.dirname) }),
        manners: {
          grpc: { tellsWhy: true, loses: { away60: OVER_ITS_TIME } },
          'http/protobuf': { tellsWhy: false, loses: { away60: OVER_ITS_TIME } },
        },
      }),
    }),
};
