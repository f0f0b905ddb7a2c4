import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startCollector } from '../support/collector.ts';
import { startHttp1Upstream } from '../support/http1-upstream.ts';
import { callHttp } from '../support/http-client.ts';
import { converse, request } from '../support/raw-http.ts';
import { startWireServer } from '../support/wire-server.ts';

test('a request over HTTP/1.1 goes on byte for byte, with its length or in chunks, and its answer comes back', async (t) => {
  const collector = await startCollector(t);
  const server = await startWireServer(t, { http: startHttp1Upstream(t, collector.httpUrl) });
  const headers = { 'x-api-key': server.key };
  for (const size of [0, 1, 1_000, 70_000, 40 << 20]) {
    const body = randomBytes(size);
    const sha = createHash('sha256').update(body).digest('hex');
    const pieces = Array.from({ length: 7 }, (_, i) =>
      body.subarray(Math.floor((size * i) / 7), Math.floor((size * (i + 1)) / 7)),
    );
    for (const sent of size > 1 << 20 ? [pieces] : [body, pieces]) {
      const { status } = await callHttp(server.url, { headers, body: sent });
      assert.equal(status, 200);
      assert.equal(collector.arrivals.at(-1)?.bodySha256, sha);
    }
  }
  assert.equal(collector.connections(), 1);
});

test('a refusal gets to its sender though its body turns out to be broken', async (t) => {
  const server = await startWireServer(t);
  const bytes = request('POST /v1/traces HTTP/1.1', ['Host: a', 'Transfer-Encoding: chunked'], 'broken\r\n');
  assert.deepEqual((await converse(t, server.port, bytes)).statuses, [403]);
});
