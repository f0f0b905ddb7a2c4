import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { batchName, otlpRequest, readBatchName } from '../../rolling/batch.ts';
import { Ledger } from '../../rolling/ledger.ts';
import type { Told } from '../../rolling/load.ts';
import { decodeArrival } from '../../support/telemetry.ts';

const PHASE = { name: 'all', fromMs: 0, toMs: 100 };

function told(number: number, what: Partial<Told> = {}): Told {
  return { client: 'one', number, outcome: 'accepted', tries: 1, atMs: 10, tookMs: 1, ...what };
}

/** Of a batch that was told of so, and has arrived so many times. */
function fateOf(what: Partial<Told>, arrivals: number, mayBeKept = false): string[] {
  const ledger = new Ledger();
  ledger.tell(told(0, what));
  for (let i = 0; i < arrivals; i++) ledger.arrived(batchName({ client: 'one', number: 0 }));
  const account = ledger.account('one', [PHASE], mayBeKept);
  return (['lost', 'duplicated', 'disowned', 'kept', 'delayed'] as const).filter((fate) => account[fate] > 0);
}

describe('the ledger of a rolling restart', () => {
  it('finds what is lost, whatever its sender was told', () => {
    assert.deepEqual(fateOf({}, 0), ['lost']);
    assert.deepEqual(fateOf({ outcome: 'dropped' }, 0), ['lost']);
    assert.deepEqual(fateOf({ outcome: 'dropped' }, 0, true), ['lost']);
    assert.deepEqual(fateOf({ outcome: 'kept' }, 0), ['lost']);
  });

  it('finds what its sender was rightly told to send again', () => {
    assert.deepEqual(fateOf({ outcome: 'kept' }, 0, true), ['kept']);
  });

  it('finds what has arrived twice, and what has arrived though its sender believes that it has not', () => {
    assert.deepEqual(fateOf({}, 2), ['duplicated']);
    assert.deepEqual(fateOf({ outcome: 'kept' }, 1, true), ['disowned']);
  });

  it('finds what took more than one try, or long; and nothing in what was right', () => {
    assert.deepEqual(fateOf({ tries: 2 }, 1), ['delayed']);
    assert.deepEqual(fateOf({ tookMs: 1_001 }, 1), ['delayed']);
    assert.deepEqual(fateOf({}, 1), []);
  });

  it('looks at each phase alone, and knows what nobody has sent', () => {
    const ledger = new Ledger();
    ledger.tell(told(0));
    ledger.tell(told(1, { atMs: 100 }));
    ledger.arrived('batch:two:0;');
    assert.equal(ledger.account('one', [PHASE]).sent, 1);
    assert.deepEqual(ledger.strangers(), ['batch:two:0;']);
  });
});

describe('a batch', () => {
  it('is telemetry, and known by its name', () => {
    const name = batchName({ client: 'one', number: 7 });
    const body = otlpRequest(name);
    assert.equal(readBatchName(body), name);
    assert.equal(readBatchName(Buffer.from('telemetry')), undefined);
    const arrival = {
      protocol: 'http',
      method: 'POST',
      path: '/',
      headers: {},
      bodyBytes: 0,
      bodySha256: '',
      body,
    } as const;
    assert.deepEqual(decodeArrival('traces', arrival).items, [name]);
  });
});
