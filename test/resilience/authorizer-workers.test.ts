import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { askHttp, connectExtAuthz, forwarded, TRACES } from '../support/authz-client.ts';
import { until } from '../support/wait.ts';
import { ACTOR, startWorkers } from '../support/workers.ts';

describe('a gateway of two workers that other proxies ask', { timeout: 60_000 }, () => {
  it('answers at both ports from both workers, counts once, and says when it goes', async (t) => {
    const { keygate, keys, createKey } = await startWorkers(t, {
      authz: { grpc: { address: '127.0.0.1:0' }, http: { address: '127.0.0.1:0' } },
      limits: { drainDelay: '1s' },
    });
    const { text, id } = await createKey();
    const port = Number(keygate.authz.http.split(':')[1]);
    const asked = { ...forwarded(), 'x-api-key': text };
    for (let i = 0; i < 6; i++) assert.equal((await askHttp(port, asked)).status, 200);
    const envoys = [connectExtAuthz(t, keygate.authz.grpc), connectExtAuthz(t, keygate.authz.grpc)];
    for (const envoy of envoys) {
      assert.equal((await envoy.check({ path: TRACES, headers: { 'x-api-key': text } })).code, 0);
      assert.equal(await envoy.health(), 'SERVING');
    }
    assert.equal(await keygate.metric('keygate_requests_total', 'protocol="authz_http"'), 6);
    assert.equal(await keygate.metric('keygate_requests_total', 'protocol="authz_grpc"'), 2);
    assert.equal(await keygate.metric('keygate_key_requests_total', `key_id="${id}"`), 8);

    await keys.revoke('ingestion', id, ACTOR, { force: true });
    await until('it is refused', async () => (await askHttp(port, asked)).status === 403);
    keygate.signal('SIGTERM');
    const [envoy] = envoys;
    assert.ok(envoy);
    await until('Envoy is told', async () => (await envoy.health()) === 'NOT_SERVING');
    assert.equal((await askHttp(port, asked)).status, 403, 'all is still answered');
    assert.equal((await keygate.exited).code, 0);
  });
});
