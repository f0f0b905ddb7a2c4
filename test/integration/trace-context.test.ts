import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startGateway } from '../support/gateway.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp, keepAliveAgent } from '../support/http-client.ts';
import { decodeStatus } from '../support/rpc-status.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceOf = (n: number): string => `${n}`.padStart(32, 'a');
const parentOf = (trace: string): string => `00-${trace}-00f067aa0ba902b7-01`;
const STATE = 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7';

/** A gateway, and a sender that uses one connection of either protocol again and again. */
async function start(t: TestContext, plane: 'wire' | 'library') {
  const collector = await startCollector(t);
  const gateway = await startGateway(t, {
    plane,
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
  });
  const session = await connectGrpc(t, gateway.grpcAddress);
  const agent = keepAliveAgent(t);
  const { text: key } = await gateway.createKey();
  return {
    collector,
    key,
    /** What the sender is told, if it is refused. */
    overGrpc: async (headers: Readonly<Record<string, string>>): Promise<string | undefined> => {
      const { code, message } = await callGrpc(session, { headers });
      return code === 0 ? undefined : decodeURIComponent(message ?? '');
    },
    overHttp: async (headers: Readonly<Record<string, string>>): Promise<string | undefined> => {
      const { status, body } = await callHttp(gateway.httpUrl, { headers, agent });
      return status === 200 ? undefined : decodeStatus(body).message;
    },
    refusals: () =>
      gateway.log
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ message }) => message === 'request refused'),
  };
}

for (const plane of ['wire', 'library'] as const) {
  describe(`the trace context of a request, on the ${plane} plane`, () => {
    it('arrives as it was sent, whether it keeps the grammar of W3C or not', async (t) => {
      const { collector, key, overGrpc, overHttp } = await start(t, plane);
      for (const traceparent of [parentOf(TRACE), '00-not-a-trace', `cc-${TRACE}-00f067aa0ba902b7-09-more`]) {
        for (const send of [overGrpc, overHttp]) {
          assert.equal(await send({ 'x-api-key': key, traceparent, tracestate: STATE }), undefined);
          const { headers } = collector.arrivals.at(-1) ?? {};
          assert.deepEqual([headers?.['traceparent'], headers?.['tracestate']], [[traceparent], [STATE]]);
        }
      }
      for (const send of [overGrpc, overHttp]) {
        assert.equal(await send({ 'x-api-key': key }), undefined);
        const { headers } = collector.arrivals.at(-1) ?? {};
        assert.deepEqual([headers?.['traceparent'], headers?.['tracestate']], [undefined, undefined]);
      }
    });

    it('is in the line of its own refusal, beside the request id that the sender was told', async (t) => {
      const { overGrpc, overHttp, refusals } = await start(t, plane);
      const told: (string | undefined)[] = [];
      // Heads that are the same but for this are remembered: each line must have its own all the same.
      for (let n = 0; n < 4; n++) {
        const headers = { 'x-api-key': 'no-key-of-ours', traceparent: parentOf(traceOf(n)) };
        told.push(await overGrpc({ ...headers, 'user-agent': 'over-grpc' }));
        told.push(await overHttp({ ...headers, 'user-agent': 'over-http' }));
      }
      const lines = refusals();
      assert.deepEqual(
        lines.map(({ trace_id }) => trace_id),
        [0, 0, 1, 1, 2, 2, 3, 3].map(traceOf),
      );
      assert.deepEqual(
        told.map((text) => /request ([0-9a-f-]{36})/.exec(text ?? '')?.[1]),
        lines.map(({ request_id }) => request_id),
      );
    });

    it('is not in the line unless it keeps the grammar', async (t) => {
      const { overGrpc, overHttp, refusals } = await start(t, plane);
      for (const send of [overGrpc, overHttp]) {
        await send({ 'x-api-key': 'no-key-of-ours', traceparent: '00-not-a-trace' });
        await send({ 'x-api-key': 'no-key-of-ours' });
      }
      assert.deepEqual(
        refusals().map((line) => 'trace_id' in line),
        [false, false, false, false],
      );
    });
  });
}
