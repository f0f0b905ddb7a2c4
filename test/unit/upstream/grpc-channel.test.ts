import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { createGrpcChannel } from '../../../src/upstream/grpc-channel.ts';
import { parseTarget } from '../../../src/upstream/target.ts';
import { startCollector } from '../../support/collector.ts';
import { frame, TRACES_PATH } from '../../support/grpc-client.ts';
import { until } from '../../support/wait.ts';

it('a call that was opened just before its channel is closed is answered by the collector, and then nothing is left open', async (t) => {
  const collector = await startCollector(t);
  const target = parseTarget(collector.grpcUrl);
  const channel = createGrpcChannel(target, { ca: undefined, cert: undefined, key: undefined });
  const call = channel.open(TRACES_PATH, [], Date.now() + 10_000);
  assert.ok(!('problem' in call));
  channel.close();
  call.on('error', () => undefined); // its status says the same
  call.resume();
  call.end(frame(Buffer.from('a batch')));
  const [status] = (await once(call, 'status')) as [{ code: number }];
  assert.equal(status.code, 0);
  await until('the connection is closed', () => collector.connections() === 0);
});
