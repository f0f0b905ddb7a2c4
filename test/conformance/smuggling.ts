import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { DOWNGRADE_CASES, isOver, requestFrames } from '../support/downgrade-cases.ts';
import { connectFrames, FRAME } from '../support/h2-frames.ts';
import { connectRaw } from '../support/http-client.ts';
import type { KeygateProcess } from '../support/keygate-process.ts';
import { converse } from '../support/raw-http.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import type { RawRequest, RawUpstream } from '../support/raw-upstream.ts';
import { bytesOf, SMUGGLING_CASES } from '../support/smuggling-cases.ts';
import type { SmugglingCase } from '../support/smuggling-cases.ts';
import { faultOf, faultOfArrival, FOLLOWING, followingRequest } from '../support/smuggling-verdict.ts';
import { until } from '../support/wait.ts';
import { findNextHops } from './next-hops.ts';
import type { NextHop } from './next-hops.ts';
import { assertIdle, PLANE, startGateway } from './subject.ts';

/**
 * Requests that could be disputed, through the gateway to real servers, each before a backend that counts what arrives: never
 * more requests than the gateway let through, with the bodies that were sent, from whom the gateway says, and the request
 * that follows on the same connection is answered as itself.
 */

for (const hop of findNextHops()) {
  describe(`smuggling to ${hop.name}, plane: ${PLANE}`, () => {
    it(`${SMUGGLING_CASES.length} requests of HTTP/1.1, each with another in the same packet`, async (t) => {
      const path = await startPath(t, hop);
      await judgeAll(path, SMUGGLING_CASES, async (one, key) => {
        const before = path.backend.requests.length;
        const { statuses } = await converse(t, path.port, bytesOf(one, key) + followingRequest(key));
        return faultOf(one, { ...path, statuses, arrived: await arrivedSince(before, one, path) });
      });
    });

    it('the same, the other when the first has been answered', async (t) => {
      const path = await startPath(t, hop);
      await judgeAll(path, SMUGGLING_CASES, async (one, key) => {
        const before = path.backend.requests.length;
        const statuses = await converseInTurn(t, path.port, bytesOf(one, key), followingRequest(key));
        return faultOf(one, { ...path, statuses, arrived: await arrivedSince(before, one, path) });
      });
    });

    it(`${DOWNGRADE_CASES.length} requests of HTTP/2 that HTTP/1.1 cannot say`, async (t) => {
      const path = await startPath(t, hop);
      await judgeAll(path, DOWNGRADE_CASES, async (one, key) => {
        const before = path.backend.requests.length;
        await askOverHttp2(t, path.port, requestFrames(1, key, one), requestFrames(3, key, { body: FOLLOWING }));
        const arrived = path.backend.requests.slice(before);
        const bodies = arrived.map(({ body }) => body).filter((body) => body !== FOLLOWING);
        const isRight = bodies.length === 0 || (bodies.length === 1 && bodies[0] === (one.body ?? ''));
        const fault = arrived.map((each) => faultOfArrival(each, path)).find((each) => each !== undefined);
        return fault ?? (isRight ? undefined : `these bodies arrived: ${JSON.stringify(bodies)}`);
      });
    });
  });
}

interface Path {
  readonly gateway: KeygateProcess;
  readonly port: number;
  readonly key: string;
  readonly identity: readonly string[];
  readonly backend: RawUpstream;
}

/** A key of the configuration has an id that nobody chooses: the first request tells it. */
async function startPath(t: TestContext, hop: NextHop): Promise<Path> {
  const backend = await startRawUpstream(t);
  const hopPort = await hop.start(t, Number(new URL(backend.url).port));
  const gateway = await startGateway(t, { upstream: { http: `http://127.0.0.1:${hopPort}` } });
  const port = Number(gateway.addresses.http.split(':')[1]);
  const { statuses } = await converse(t, port, followingRequest(gateway.key));
  assert.deepEqual(statuses, [200]);
  const said = (backend.requests[0]?.head ?? '').split('\r\n').filter((line) => /^x-keygate/i.test(line));
  const identity = said.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()));
  assert.deepEqual(identity.map((line) => line.slice(0, line.indexOf(':'))).toSorted(), [
    'x-keygate-key-id',
    'x-keygate-key-name',
  ]);
  return { gateway, port, key: gateway.key, identity, backend };
}

/** What ends its connection may be on its way still when that is closed. */
async function arrivedSince(before: number, one: SmugglingCase, { backend }: Path): Promise<readonly RawRequest[]> {
  if (one.last) await until('it has arrived', () => backend.requests.length > before);
  return backend.requests.slice(before);
}

async function judgeAll<T extends { readonly sentence: string }>(
  path: Path,
  cases: readonly T[],
  faultOfCase: (one: T, key: string) => Promise<string | undefined>,
): Promise<void> {
  const faults: string[] = [];
  for (const one of cases) {
    const fault = await faultOfCase(one, path.key).catch(String);
    if (fault !== undefined) faults.push(`${one.sentence}: ${fault}`);
  }
  await assertIdle(path.gateway);
  // Some clients of these are gone before they could be answered.
  const verdicts = ['verdict="allow"', 'verdict="cancelled"'];
  const counts = await Promise.all(verdicts.map((label) => path.gateway.metric('keygate_requests_total', label)));
  const letThrough = counts.reduce((sum, count) => sum + count, 0);
  const arrived = path.backend.requests.length;
  console.log(`  ${cases.length} cases; ${letThrough} requests let through, ${arrived} arrived`);
  for (const fault of faults) console.log(`  FAULT ${fault}`);
  assert.ok(arrived <= letThrough, `${arrived} requests arrived, and ${letThrough} were let through`);
  assert.equal(faults.length, 0, 'see above');
}

const PATIENCE_MS = 10_000;
/** A refusal may leave its connection open, or close it a little later. */
const LULL_MS = 50;

/** Sends the second once something has come of the first, and reads until the connection is closed. */
async function converseInTurn(t: TestContext, port: number, first: string, second: string): Promise<number[]> {
  const socket = await connectRaw(t, port);
  let text = '';
  let lastByteAtMs = Infinity;
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    lastByteAtMs = performance.now();
  });
  socket.on('close', () => (isClosed = true));
  socket.write(first, 'latin1');
  const isAnswered = (): boolean => performance.now() - lastByteAtMs > LULL_MS && /HTTP\/1\.1 [2-5]/.test(text);
  await until('the first is answered', () => isClosed || isAnswered(), PATIENCE_MS);
  if (!isClosed) socket.write(second, 'latin1');
  await until('the connection is closed', () => isClosed, PATIENCE_MS);
  return Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status));
}

/** Both on one connection; what follows must be answered with 200 on it, if it is still open. */
async function askOverHttp2(t: TestContext, port: number, first: Buffer[], second: Buffer[]): Promise<void> {
  const connection = await connectFrames(t, port);
  await connection.send(...first);
  await until('the first is answered, reset or the connection closed', () => isOver(connection, 1), PATIENCE_MS);
  if (!connection.socket.destroyed && connection.of(FRAME.GOAWAY).length === 0) {
    await connection.send(...second);
    await until('the second is answered', () => isOver(connection, 3), PATIENCE_MS);
    assert.equal(connection.of(FRAME.RST_STREAM).filter(({ streamId }) => streamId === 3).length, 0);
  }
  connection.socket.destroy();
}
