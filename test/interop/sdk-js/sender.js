// A program that makes telemetry. Where it goes, and how, is in OpenTelemetry's variables alone.
//
//     node sender.js <name> <count> <pause in ms>
import { setTimeout as delay } from 'node:timers/promises';
import { logs, metrics, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';

const [name, count, pauseMs] = process.argv.slice(2);
const sdk = new NodeSDK();
sdk.start();
const tracer = trace.getTracer('interop');
const logger = logs.getLogger('interop');
const counter = metrics.getMeter('interop').createCounter(`${name}.total`);

console.log('begun');
for (let i = 0; i < Number(count); i++) {
  const item = `${name}-${i}`;
  tracer.startSpan(item).end();
  logger.emit({ body: item });
  counter.add(1);
  await delay(Number(pauseMs));
}

try {
  await sdk.shutdown();
} catch (error) {
  console.error(error);
}
