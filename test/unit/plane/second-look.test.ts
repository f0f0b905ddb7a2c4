import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Credential, Gate, Judgement } from '../../../src/gate.ts';
import { lookAgain } from '../../../src/plane/second-look.ts';
import type { Refusal, Sending } from '../../../src/verdict/decide.ts';
import { reasons, row } from '../../../src/verdict/reasons.ts';
import { newRecord } from '../../support/stores.ts';

const use: Sending = { to: 'send', signal: undefined, route: 'grpc', peer: '192.0.2.1', origin: undefined };
const credential: Credential = { digests: { digest: 'sha256:00', alternates: [] } as never, fingerprint: '00' };

/** What a look says that finds this. */
async function look(found: Judgement | Promise<Judgement>): Promise<Refusal[]> {
  const refused: Refusal[] = [];
  const gate: Pick<Gate, 'judgeAgain'> = { judgeAgain: () => found };
  lookAgain(gate as Gate, { credential, use }, (refusal) => refused.push(refusal));
  await found;
  return refused;
}

describe('a second look at a request', () => {
  it('leaves it alone while its key is good', async () => {
    const good: Judgement = { decision: { verdict: 'allow', key: newRecord() } };
    assert.deepEqual([await look(good), await look(Promise.resolve(good))], [[], []]);
  });

  it('ends it for every positive "no", and for no doubt at all, however late it is said', async () => {
    for (const reason of reasons) {
      const decision: Refusal = { verdict: 'refuse', reason };
      const expected = row(reason).verdict === 'deny' ? [decision] : [];
      assert.deepEqual(await look({ decision }), expected, reason);
      assert.deepEqual(await look(Promise.resolve({ decision })), expected, reason);
    }
  });
});
