import { z } from 'zod';
import { size } from './units.ts';
import { grpcPath, routePath, target } from './values.ts';

const MAX_PATHS = 20;

/** Paths that one upstream answers. */
function relayedOptions(path: string, whoAnswers: string) {
  return z.strictObject({
    target: target
      .nullable()
      .default(null)
      .describe(`${whoAnswers} null: there are no such routes.`)
      .meta({ reloads: 'unless null' }),
    paths: z
      .array(routePath)
      .max(MAX_PATHS)
      .default([path])
      .describe('The paths, which must match exactly; they are the same behind the gateway.'),
  });
}

/** What the data ports take besides OTLP. */
export const routes = z
  .strictObject({
    grpc: z
      .strictObject({
        paths: z
          .array(grpcPath)
          .max(MAX_PATHS)
          .default([])
          .describe(
            'The methods, which must match exactly, such as those of OTel-Arrow. A call lasts no longer than upstream.timeout ' +
              'and sends no more than limits.maxBody.',
          ),
      })
      .prefault({})
      .describe('Further gRPC methods that the collector of upstream.grpc serves. For keys of no type.'),
    rum: z
      .strictObject({
        target: target
          .nullable()
          .default(null)
          .describe('Where they go, such as http://rum-intake:8080. null: there are no such routes.')
          .meta({ reloads: 'unless null' }),
        paths: z
          .array(routePath)
          .max(MAX_PATHS)
          .default(['/json/rum', '/rum/sourcemaps'])
          .describe('The paths, which must match exactly; they are the same behind the gateway.'),
        otlp: z
          .boolean()
          .default(true)
          .describe(
            'Whether pages may also send OTLP over HTTP. false: keys of type rum are good for these paths only, as at groundcover.',
          ),
      })
      .prefault({})
      .describe('Events and source maps of web pages, sent with POST. For keys of type rum, and keys of no type.'),
    remoteConfig: z
      .strictObject({
        target: target
          .nullable()
          .default(null)
          .describe('Who answers, such as http://remote-config:8080. null: there are no such routes.')
          .meta({ reloads: 'unless null' }),
        paths: z
          .array(routePath)
          .max(MAX_PATHS)
          .default(['/remote-config'])
          .describe('The paths, which must match exactly; they are the same behind the gateway.'),
      })
      .prefault({})
      .describe('Settings that agents fetch, with GET or HEAD. For keys of type sensor.'),
    agent: z
      .strictObject({
        target: target
          .nullable()
          .default(null)
          .describe('The receiver behind the gateway, such as http://receiver:7077. null: such requests are answered with 404.')
          .meta({ reloads: 'unless null' }),
        paths: z
          .array(routePath)
          .max(MAX_PATHS)
          .default(['/stsAgent', '/prometheus/api/v1/write'])
          .describe('Each path, and all below it, with or without /receiver before it; behind the gateway it is without.'),
      })
      .prefault({})
      .describe(
        "What StackState's agents send, and others to the same receiver: the only routes that take a key from api_key in the " +
          'query. For all keys but those of type rum.',
      ),
    logs: relayedOptions('/json/logs', 'Who takes them, such as http://logs-intake:8080.')
      .prefault({})
      .describe('Logs in a form of their own, sent with POST. For all keys but those of type rum.'),
    singles: relayedOptions('/logs/v1/singles', 'Who takes them, such as http://logs-intake:8080.')
      .extend({
        maxRequest: size('1KiB', '256MiB')
          .prefault('2MiB')
          .describe('The largest request, as sent; limits.maxBody holds too. IBM Cloud Logs takes 2 MB.'),
      })
      .prefault({})
      .describe('Logs as IBM Cloud Logs takes them, sent with POST. For all keys but those of type rum.'),
    remoteWrite: relayedOptions('/api/v1/write', 'Who takes them, such as http://prometheus:9090.')
      .prefault({})
      .describe('Metrics as Prometheus sends them on (remote write), with POST. For all keys but those of type rum.'),
  })
  .prefault({})
  .describe('Routes on the data ports besides OTLP. upstream.tls and upstream.timeout hold for them too.');
