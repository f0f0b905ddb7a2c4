import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';
import { health, livezUrl } from '../../../src/cli/health.ts';

async function healthOf(
  listener: RequestListener,
  timeoutMs?: number,
): Promise<{ code: number; said: string[]; url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const url = livezUrl(`0.0.0.0:${address.port}`);
  const said: string[] = [];
  try {
    return { code: await health(url, (line) => said.push(line), timeoutMs), said, url };
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
}

test('a gateway that answers 200 on /livez is healthy, and nothing is said', async () => {
  const { code, said } = await healthOf((request, response) => {
    response.writeHead(request.url === '/livez' ? 200 : 404).end('ok');
  });
  assert.deepEqual({ code, said }, { code: 0, said: [] });
});

test('a gateway that answers anything else is not, and the status is said', async () => {
  const { code, said, url } = await healthOf((_request, response) => {
    response.writeHead(503).end();
  });
  assert.deepEqual({ code, said }, { code: 1, said: [`${url} answered 503`] });
});

test('a gateway that hangs up is not, and the cause is said', async () => {
  const { code, said, url } = await healthOf((request) => request.socket.destroy());
  assert.deepEqual({ code, said }, { code: 1, said: [`${url} did not answer: other side closed`] });
});

test('a gateway that is stuck is not waited for', async () => {
  const { code, said, url } = await healthOf(() => {}, 20);
  assert.deepEqual(
    { code, said },
    { code: 1, said: [`${url} did not answer: The operation was aborted due to timeout`] },
  );
});

test('a gateway that listens on every address is asked on loopback, others where they listen', () => {
  assert.deepEqual(['0.0.0.0:9464', '[::]:9464', '127.0.0.1:1', '[::1]:2', 'ops.internal:3'].map(livezUrl), [
    'http://127.0.0.1:9464/livez',
    'http://[::1]:9464/livez',
    'http://127.0.0.1:1/livez',
    'http://[::1]:2/livez',
    'http://ops.internal:3/livez',
  ]);
});
