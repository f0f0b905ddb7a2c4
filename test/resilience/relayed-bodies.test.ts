import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import type * as http2 from 'node:http2';
import { describe, it } from 'node:test';
import { assertMemoryBounded, describeUnreadBodies, startMeasured } from '../support/bounded-memory.ts';
import { callGrpc, connectGrpc, frame } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';

const MIB = 1 << 20;

function sha256(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

describe('a body of 40 MiB passes byte for byte, without being held,', () => {
  const body = randomBytes(40 * MIB);
  it('over HTTP, with its length and in chunks', async (t) => {
    const { collector, keygate, headers } = await startMeasured(t);
    const origin = `http://${keygate.addresses.http}`;
    for (const form of [
      body,
      Array.from({ length: 40 }, (_, index) => body.subarray(index * MIB, (index + 1) * MIB)),
    ]) {
      assert.equal(
        (await callHttp(origin, { body: form, headers: { ...headers, 'content-encoding': 'gzip' } })).status,
        200,
      );
    }
    assert.deepEqual(
      collector.arrivals.map(({ bodySha256 }) => bodySha256),
      [sha256(body), sha256(body)],
    );
    assertMemoryBounded(keygate);
  });

  it('over gRPC', async (t) => {
    const { collector, keygate, headers } = await startMeasured(t);
    const message = frame(body, true);
    const session = await connectGrpc(t, keygate.addresses.grpc);
    assert.equal((await callGrpc(session, { body: message, headers })).code, 0);
    assert.deepEqual(
      collector.arrivals.map(({ bodySha256 }) => bodySha256),
      [sha256(message)],
    );
    assertMemoryBounded(keygate);
  });
});

describe('200 concurrent gRPC calls of 1 MiB pass byte for byte, in bounded memory,', () => {
  const messages = Array.from({ length: 200 }, () => frame(randomBytes(MIB)));
  const expected = messages.map(sha256).toSorted();

  for (const connections of [1, 20]) {
    it(`over ${connections} ${connections === 1 ? 'connection' : 'connections'}`, async (t) => {
      const { collector, keygate, headers } = await startMeasured(t);
      const sessions = await Promise.all(
        Array.from({ length: connections }, () => connectGrpc(t, keygate.addresses.grpc)),
      );
      const answers = await Promise.all(
        messages.map((body, index) =>
          callGrpc(sessions[index % connections] as http2.ClientHttp2Session, { body, headers }),
        ),
      );
      assert.deepEqual(
        answers.map(({ code }) => code),
        messages.map(() => 0),
      );
      assert.deepEqual(collector.arrivals.map(({ bodySha256 }) => bodySha256).toSorted(), expected);
      assertMemoryBounded(keygate);
    });
  }
});

describeUnreadBodies({ clients: 40 });
