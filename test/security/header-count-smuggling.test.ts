import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from '../support/raw-http.ts';
import { startRawPath } from '../support/raw-path.ts';

/**
 * CVE-2026-58044: about a thousand header lines hide Content-Length from whoever asks Node for the headers, while the body
 * is delivered all the same. A proxy that copies the headers sends the body on as a request of its own, with identity
 * headers of the attacker's choice.
 */
const SMUGGLED = request('POST /v1/traces HTTP/1.1', ['Host: x', 'x-keygate-key-id: 1', 'Content-Length: 0']);

for (const method of ['GET', 'DELETE', 'POST']) {
  for (const [limits, config] of [
    ['the default limits', {}],
    ['the widest limits', { maxHeaders: 1_000, maxHeaderBytes: '256KiB' }],
  ] as const) {
    test(`a ${method} that hides its length behind a thousand fields is refused and the connection closed, under ${limits}`, async (t) => {
      const { upstream, key, send } = await startRawPath(t, { limits: config });
      const fields = ['Host: x', `X-API-Key: ${key}`, ...Array.from({ length: 1_100 }, (_, i) => `a${i}: b`)];

      const bytes = request(
        `${method} /v1/traces HTTP/1.1`,
        [...fields, `Content-Length: ${SMUGGLED.length}`],
        SMUGGLED,
      );
      const { statuses } = await send(bytes);

      assert.deepEqual(statuses, [431]);
      assert.equal(upstream.received(), '');
    });
  }
}
