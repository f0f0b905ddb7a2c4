import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { sendRequest } from '../../../src/cli/http-request.ts';

async function serve(t: TestContext, listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const GET = { method: 'GET', headers: {}, skipSsl: false, timeoutMs: 50 };

test('a server that does not answer is given up in time', async (t) => {
  const url = await serve(t, () => {});
  await assert.rejects(sendRequest({ ...GET, url }), { message: 'no answer within 0.05 s' });
});

test('a server that stops in the middle of its answer is given up in time', async (t) => {
  const url = await serve(t, (_request, response) => void response.writeHead(200).write('half'));
  await assert.rejects(sendRequest({ ...GET, url }), { message: 'no answer within 0.05 s' });
});

test('a server that hangs up is told apart from one that is not there', async (t) => {
  const url = await serve(t, (request) => void request.socket.destroy());
  await assert.rejects(sendRequest({ ...GET, url }), { message: 'the connection was closed without an answer' });
});

test('the body that is sent and the answer that comes back are whole', async (t) => {
  const url = await serve(t, (request, response) => {
    response.writeHead(418, { 'content-type': 'text/plain; charset=utf-8' });
    request.pipe(response);
  });
  const body = 'é'.repeat(100_000);
  assert.deepEqual(await sendRequest({ ...GET, timeoutMs: 5_000, method: 'POST', url, body }), {
    status: 418,
    statusText: "I'm a Teapot",
    contentType: 'text/plain',
    body,
  });
});
