import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import type { ShownTraffic } from '../../src/admin/traffic.ts';
import { callGrpc, connectGrpc } from '../support/grpc-client.ts';
import { callHttp } from '../support/http-client.ts';
import { startAdmin } from '../support/admin-server.ts';
import { startKeygateProcess } from '../support/keygate-process.ts';
import { startCollector } from '../support/collector.ts';
import { runHere } from '../support/run-cli.ts';

function aDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'keygate-top-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A gateway with an administrator, and the command line that leads to it. */
async function startWatched(t: TestContext) {
  const collector = await startCollector(t);
  const sqlite = { path: join(aDirectory(t), 'keys.db') };
  const keygate = await startKeygateProcess(t, {
    upstream: { grpc: collector.grpcUrl, http: collector.httpUrl },
    store: { sqlite },
    replica: { name: 'gateway-1' },
  });
  const own = { KEYGATE_STORE_SQLITE_PATH: sqlite.path };
  const made = await runHere(['service-token', 'create', '--name', 'sre', '--roles', 'viewer', '-o', 'json'], own);
  const token = /svctok-[A-Za-z0-9]+/.exec(made.stdout)?.[0] ?? '';
  const env = { KEYGATE_URL: `http://${keygate.addresses.admin}`, KEYGATE_SERVICE_TOKEN: token };
  return { keygate, own, top: (...args: string[]) => runHere(['top', ...args], env) };
}

describe('keygate top', () => {
  it('names a sender that worked and is refused now before all others, and what it sends', async (t) => {
    const { keygate, own, top } = await startWatched(t);
    const session = await connectGrpc(t, keygate.addresses.grpc);
    const made = await runHere(['ingestion-api-key', 'create', '--name', 'payments', '-o', 'json'], own);
    const { apiKey, id } =
      (JSON.parse(made.stdout) as Record<string, { apiKey: string; id: number }>)['ingestion-api-key'] ?? {};
    assert.ok(apiKey !== undefined);
    const headers = { 'x-api-key': apiKey, 'user-agent': 'collector/0.159' };
    assert.equal((await callGrpc(session, { headers })).code, 0);
    const removed = await runHere(['ingestion-api-key', 'delete', '--id', String(id), '--force', '--wait', '5s'], own);
    assert.equal(removed.code, 0, removed.stderr);
    for (let i = 0; i < 20; i++) assert.equal((await callGrpc(session, { headers })).code, 7);
    await callHttp(`http://${keygate.addresses.http}`, {
      headers: { 'x-api-key': 'not-a-key-of-ours', 'user-agent': 'curl/8' },
    });

    const text = await top();
    assert.equal(text.code, 0, text.stderr);
    const [title, numbers, , header, first, second] = text.stdout.split('\n');
    assert.match(title ?? '', /^gateway-1, .* UTC: requests since /);
    assert.match(numbers ?? '', /deny revoked_key 20 \| allow 1 \| deny unknown_key 1/);
    assert.match(header ?? '', /^REFUSED\/S \| COUNT/);
    assert.match(
      first ?? '',
      new RegExp(`\\| 20 .*revoked_key .*127\\.0\\.0\\.1 .*payments \\(${id}\\) .* s ago .*collector/0\\.159`),
    );
    assert.match(second ?? '', /\| 1 .*unknown_key .*127\.0\.0\.1 .*unknown .* \| - .*curl\/8/);
    assert.ok(!text.stdout.includes(apiKey));

    const { traffic } = JSON.parse((await top('-o', 'json', '--sources', '1')).stdout) as { traffic: ShownTraffic };
    assert.equal(traffic.refusedSources.length, 1);
    assert.equal(traffic.refusedSources[0]?.reason, 'revoked_key');
    const labels = `reason="revoked_key",peer="127.0.0.1",key_id="${id}",fingerprint="",user_agent="collector/0.159",worked="true"`;
    const perSecond = await keygate.metric('keygate_refused_source_requests_per_second', labels);
    assert.ok(perSecond > 0);
  });

  it('says what it needs where there is no gateway to ask, and what its numbers may be', async (t) => {
    const own = { KEYGATE_STORE_SQLITE_PATH: join(aDirectory(t), 'keys.db') };
    const local = await runHere(['top'], own);
    assert.equal(local.code === 0, false);
    assert.match(local.stderr, /known to a running gateway only: give its --url, with a --service-token/);
    assert.match((await runHere(['top', '--sources', '101'], own)).stderr, /must be at most 100/);
    assert.match((await runHere(['top', '--interval', 'soon'], own)).stderr, /must be a number/);
  });

  it('is for those who may see the traffic', async (t) => {
    const admin = await startAdmin({ path: join(aDirectory(t), 'keys.db') });
    t.after(() => admin.close());
    const ask = async (role: string, query = '') =>
      (await admin.request('GET', `/api/traffic${query}`, { token: await admin.tokenFor([role]) })).status;
    assert.deepEqual(
      [await ask('viewer'), await ask('key-manager'), await ask('validator'), await ask('auditor')],
      [200, 200, 403, 403],
    );
    const token = await admin.tokenFor(['admin']);
    const wrong = await admin.request('GET', '/api/traffic?sources=many', { token });
    assert.deepEqual([wrong.status, /from 0 to 100/.test(wrong.text)], [400, true]);
  });
});
