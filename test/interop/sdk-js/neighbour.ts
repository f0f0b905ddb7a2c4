import { join } from 'node:path';
import type { Neighbour } from '../neighbour.ts';
import { installNpm, pinned } from '../sdks/build.ts';
import { sendBy } from '../sdks/order.ts';
import { tryOut } from '../sdks/table.ts';

const OVER_ITS_TIME = 'it tries six times, in at most 10 s';
const NEVER_AGAIN = 'its gRPC exporter never tries again';
const HTTP = { tellsWhy: true, loses: { away60: OVER_ITS_TIME } };

export const neighbour: Neighbour = {
  title: 'OpenTelemetry SDK for JavaScript, in Node',
  about: `
A program with \`NodeSDK\`, which takes protocol, address, header and certificate from \`OTEL_EXPORTER_OTLP_*\`; its log is switched on with
\`OTEL_LOG_LEVEL\`, without which it says nothing of failures.`,
  run: (site) =>
    tryOut(site, {
      versions: {
        'sdk-node': pinned(join(import.meta.dirname, 'package.json'), /sdk-node": "(.+?)"/),
        node: process.versions.node,
      },
      protocols: ['grpc', 'http/protobuf', 'http/json'],
      make: () => ({
        send: sendBy({
          command: [process.execPath, join(installNpm(site, import.meta.dirname), 'sender.js')],
          variables: () => ({ OTEL_LOG_LEVEL: 'info' }),
        }),
        manners: {
          grpc: {
            tellsWhy: true,
            loses: { limited: NEVER_AGAIN, away2: NEVER_AGAIN, away60: NEVER_AGAIN, restarted: NEVER_AGAIN },
          },
          'http/protobuf': HTTP,
          'http/json': HTTP,
        },
      }),
    }),
};
