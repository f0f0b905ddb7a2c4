import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { callGrpc, frame } from '../support/grpc-client.ts';
import { until } from '../support/wait.ts';
import { startWorkers } from '../support/workers.ts';

/** Two workers that will hear of a configuration in which what `sendBig` sends is too large. */
async function startChanging(t: TestContext) {
  const { keygate, configure, connectBoth } = await startWorkers(t);
  const big = frame(Buffer.alloc(3_000));
  return {
    keygate,
    configure,
    connectBoth,
    /** The codes of gRPC with which each of them answers. */
    async sendBig(sessions: readonly ClientHttp2Session[]): Promise<number[]> {
      const codes: number[] = [];
      for (const session of sessions) {
        codes.push((await callGrpc(session, { headers: { 'x-api-key': keygate.key }, body: big })).code);
      }
      return codes;
    },
    shrink: () => configure({ limits: { maxBody: '1KiB' } }),
    reloads: (result?: 'applied' | 'refused') => keygate.metric('keygate_config_reloads_total', result),
  };
}

const BOTH_TAKEN = [0, 0];
/** RESOURCE_EXHAUSTED */
const BOTH_TOO_LARGE = [8, 8];

describe('a gateway of two workers whose configuration changes', { timeout: 120_000 }, () => {
  it('takes it at both, counts it once, and has one that is replaced begin with it', async (t) => {
    const { keygate, configure, connectBoth, sendBig, shrink, reloads } = await startChanging(t);
    const sessions = await connectBoth();
    assert.deepEqual(await sendBig(sessions), BOTH_TAKEN);

    await shrink();
    await until('it holds', async () => (await reloads('applied')) === 1, 20_000);
    assert.deepEqual(await sendBig(sessions), BOTH_TOO_LARGE);
    assert.equal(await reloads(), 1);

    await configure({ limits: { maxBody: '1KiB' }, listen: 'nowhere' });
    await until('it is refused', async () => (await reloads('refused')) === 1, 20_000);
    assert.equal(await keygate.metric('keygate_config_last_reload_successful'), 0);

    for (const pid of keygate.workers()) process.kill(pid, 'SIGKILL');
    await until('both are replaced', async () => (await keygate.metric('keygate_worker_restarts_total')) === 2, 20_000);
    await until('both serve', async () => (await keygate.metric('keygate_workers')) === 2, 20_000);
    assert.deepEqual(await sendBig(await connectBoth()), BOTH_TOO_LARGE);
  });

  it('keeps the old one at both while one of them does not answer, and takes the new one when that goes on', async (t) => {
    const { keygate, connectBoth, sendBig, shrink, reloads } = await startChanging(t);
    const sessions = await connectBoth();
    const [, stuck = 0] = keygate.workers();
    process.kill(stuck, 'SIGSTOP');
    await shrink();
    await until('it is refused', async () => (await reloads('refused')) === 1, 20_000);
    process.kill(stuck, 'SIGCONT');
    assert.deepEqual(await sendBig(sessions), BOTH_TAKEN);
    assert.deepEqual(
      keygate.logged('the new configuration is refused; the old one stays').map(({ cause }) => cause),
      ['worker 2: it did not answer within 5 s'],
    );
    assert.equal(await keygate.metric('keygate_config_last_reload_successful'), 0);

    keygate.signal('SIGHUP');
    await until('it holds', async () => (await reloads('applied')) === 1, 20_000);
    assert.deepEqual(await sendBig(sessions), BOTH_TOO_LARGE);
    assert.equal(await keygate.metric('keygate_config_last_reload_successful'), 1);
    assert.equal(await keygate.metric('keygate_worker_restarts_total'), 0);
  });

  it('takes it also at a worker that was replaced while another one had not answered yet', async (t) => {
    const { keygate, connectBoth, sendBig, shrink, reloads } = await startChanging(t);
    const pids = keygate.workers();
    const [slow = 0, victim = 0] = pids;
    process.kill(slow, 'SIGSTOP');
    await shrink();
    keygate.signal('SIGHUP');
    await delay(500); // both are asked by then; if not, the new one is, too
    process.kill(victim, 'SIGKILL');
    await until('it is replaced', () => keygate.workers().some((pid) => !pids.includes(pid)));
    process.kill(slow, 'SIGCONT');
    await until('it holds', async () => (await reloads('applied')) === 1, 20_000);
    await until('both serve', async () => (await keygate.metric('keygate_workers')) === 2, 20_000);
    assert.deepEqual(await sendBig(await connectBoth()), BOTH_TOO_LARGE);
    assert.equal(await reloads('refused'), 0);
  });
});
