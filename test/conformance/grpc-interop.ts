import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { findPort } from '../support/ports.ts';
import { createCertificate } from '../support/tls.ts';
import { until } from '../support/wait.ts';
import { canConnect } from './next-hops.ts';
import { assertIdle, listenOn, PLANE, startGateway } from './subject.ts';
import { goProgram } from './toolchain.ts';

/**
 * The interoperability tests of gRPC, with grpc-go's client and server: each case straight, through the gateway with our key
 * as metadata, and through it with a wrong key. What calls of every kind can meet, OTLP's unary calls alone never do.
 */

const build = (name: string): string =>
  goProgram({ folder: 'grpc-interop', package: `google.golang.org/grpc/interop/${name}` });
const client = build('client');
const server = build('server');

const TEST_METHODS = ['EmptyCall', 'UnaryCall', 'StreamingInputCall', 'StreamingOutputCall', 'FullDuplexCall'];
const METHODS = [
  ...[...TEST_METHODS, 'UnimplementedCall'].map((method) => `/grpc.testing.TestService/${method}`),
  '/grpc.testing.UnimplementedService/UnimplementedCall',
];

/** All that this client has, but those that need the credentials of a cloud, several servers, or xDS. */
const CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
  'rpc_soak',
  'channel_soak',
] as const;

/** Ended by the client itself, perhaps before it hears an answer: it cannot always tell a wrong key from a good one. */
const ENDED_BY_CLIENT: ReadonlySet<string> = new Set(['cancel_after_begin', 'timeout_on_sleeping_server']);

for (const over of ['cleartext', 'TLS'] as const) {
  describe(`gRPC interop over ${over}, plane: ${PLANE}`, () => {
    it('what works without the gateway works through it, and nothing does with a wrong key', async (t) => {
      const straight = await startServer(t);
      const certificate = over === 'TLS' ? await createCertificate(t) : undefined;
      const gateway = await startGateway(t, {
        listen: listenOn(certificate),
        upstream: { grpc: `http://127.0.0.1:${straight}` },
        routes: { grpc: { paths: METHODS } },
      });
      const port = gateway.addresses.grpc.split(':')[1] ?? '';
      const tls = certificate ? ['--use_tls', '--use_test_ca', '--ca_file', certificate.certPath] : [];
      const sending = (key: string): string[] => [...tls, '--additional_metadata', `authorization:StackState ${key}`];

      const faults: string[] = [];
      console.log(`  ${'case'.padEnd(28)} straight  through  wrong key`);
      for (const name of CASES) {
        const alone = await runCase(t, name, straight);
        const through = await runCase(t, name, port, sending(gateway.key));
        const letThrough = await gateway.metric('keygate_requests_total', 'verdict="allow"');
        const wrong = await runDenied(t, name, port, sending(`${gateway.key}x`));
        const letThroughWrongly = (await gateway.metric('keygate_requests_total', 'verdict="allow"')) - letThrough;
        const isRight = wrong.denied || (wrong.passed && ENDED_BY_CLIENT.has(name));
        if (alone.passed && !through.passed) faults.push(`${name}, through the gateway: ${through.said}`);
        if (!isRight || letThroughWrongly > 0)
          faults.push(`${name}, with a wrong key: ${letThroughWrongly} requests let through; ${wrong.said}`);
        const denied = wrong.denied ? '7' : 'ended by itself';
        console.log(`  ${name.padEnd(28)} ${word(alone)}  ${word(through)} ${isRight ? denied : 'NOT DENIED'}`);
        if (!alone.passed) console.log(`    straight: ${alone.said}`);
      }
      await assertIdle(gateway);
      assert.equal(faults.join('\n'), '');
    });
  });
}

interface Outcome {
  readonly passed: boolean;
  /** Whether it heard code 7. */
  readonly denied: boolean;
  /** The last of what it wrote. */
  readonly said: string;
}

function word({ passed }: Outcome): string {
  return (passed ? 'passed' : 'FAILED').padEnd(8);
}

const TRIES = 10;

/** This client says of a stream that was refused while it was sending only that it has ended, not how. So it is run again. */
async function runDenied(t: TestContext, name: string, port: string, args: readonly string[]): Promise<Outcome> {
  let outcome = await runCase(t, name, port, args);
  for (let left = TRIES; left > 0 && outcome.said.includes('has error EOF while sending'); left -= 1)
    outcome = await runCase(t, name, port, args);
  return outcome;
}

async function runCase(t: TestContext, name: string, port: string, args: readonly string[] = []): Promise<Outcome> {
  const child = spawn(client, ['--server_host', '127.0.0.1', '--server_port', port, '--test_case', name, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  });
  t.after(() => void child.kill());
  let said = '';
  for (const output of [child.stdout, child.stderr]) output.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  const lines = said.trim().split('\n');
  return { passed: code === 0, denied: said.includes('PermissionDenied'), said: (lines.at(-1) ?? '').slice(0, 500) };
}

/** Resolves with its port once it takes connections. */
async function startServer(t: TestContext): Promise<string> {
  const port = await findPort();
  const child = spawn(server, ['--port', String(port)], { stdio: 'ignore' });
  t.after(() => void child.kill());
  await until('the interop server listens', () => canConnect(port));
  return String(port);
}
