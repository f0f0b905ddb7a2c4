import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { traceIdIn } from '../../../src/plane/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const VALID = `00-${TRACE}-${PARENT}-01`;

describe('the trace that a request belongs to', () => {
  it('is read from traceparent, however the name is written', () => {
    assert.equal(traceIdIn(['te', 'trailers', 'traceparent', VALID]), TRACE);
    assert.equal(traceIdIn(['TraceParent', VALID, 'tracestate', 'a=b']), TRACE);
    assert.equal(traceIdIn(['x', VALID]), undefined);
    assert.equal(traceIdIn([]), undefined);
  });

  it('is none where the grammar of W3C is not kept', () => {
    for (const value of [
      '',
      TRACE,
      `00-${TRACE}-${PARENT}`,
      `00-${TRACE}-${PARENT}-1`,
      `00-${TRACE}-${PARENT}-01-`,
      `00-${TRACE}-${PARENT}-01-more`,
      `00-${TRACE}-${PARENT}-01 `,
      ` ${VALID}`,
      `00-${TRACE.toUpperCase()}-${PARENT}-01`,
      `00-${TRACE.slice(1)}-${PARENT}-01`,
      `00-${TRACE}0-${PARENT}-01`,
      `00-${'0'.repeat(32)}-${PARENT}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `ff-${TRACE}-${PARENT}-01`,
      `0-${TRACE}-${PARENT}-01`,
      `00-${TRACE.replace('f', 'g')}-${PARENT}-01`,
      `${VALID}\n${VALID}`,
    ])
      assert.equal(traceIdIn(['traceparent', value]), undefined, JSON.stringify(value));
  });

  it('is read of later versions as of the first, whatever more they say', () => {
    for (const value of [`01-${TRACE}-${PARENT}-01`, `cc-${TRACE}-${PARENT}-ff-what-the-future-will-be-like`])
      assert.equal(traceIdIn(['traceparent', value]), TRACE, value);
    assert.equal(traceIdIn(['traceparent', `01-${TRACE}-${PARENT}-01.more`]), undefined);
  });

  it('is none where it is said twice, even if it is the same', () => {
    assert.equal(traceIdIn(['traceparent', VALID, 'traceparent', VALID]), undefined);
  });

  it('is 32 digits or none, whatever is sent', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('traceparent', VALID))), (fields) => {
        assert.match(traceIdIn(fields) ?? TRACE, /^[0-9a-f]{32}$/);
      }),
    );
  });
});
