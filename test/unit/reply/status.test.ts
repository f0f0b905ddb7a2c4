import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { encodeRetryInfo, encodeStatus, statusToJson } from '../../../src/reply/status.ts';
import type { StatusContent } from '../../../src/reply/status.ts';
import { decodeRetryInfo, decodeStatus } from '../../support/rpc-status.ts';

const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

const STATUS: StatusContent = {
  code: 14,
  message: 'The key store cannot be reached. Grüße, 🔑',
  errorInfo: { reason: 'store_unavailable', domain: 'keygate', metadata: { request_id: 'r-1', key_id: '42' } },
  retryDelaySeconds: 2,
};

describe('a status as protobuf', () => {
  it('is read by a protobuf library as what was written', () => {
    assert.deepEqual(decodeStatus(encodeStatus(STATUS)), {
      code: 14,
      message: STATUS.message,
      details: [
        { '@type': ERROR_INFO, ...STATUS.errorInfo },
        { '@type': RETRY_INFO, retry_delay: { seconds: 2, nanos: 0 } },
      ],
    });
  });

  it('has no RetryInfo if there is no delay', () => {
    const { retryDelaySeconds: _none, ...forGood } = STATUS;
    assert.deepEqual(decodeStatus(encodeStatus(forGood)).details, [{ '@type': ERROR_INFO, ...STATUS.errorInfo }]);
  });

  it('is read back whatever the words and however long they are', () => {
    const words = fc.string({ unit: 'grapheme', maxLength: 400 });
    const contents = fc.record({
      code: fc.integer({ min: 1, max: 16 }),
      message: words,
      errorInfo: fc.record({
        reason: words,
        domain: words,
        metadata: fc.dictionary(fc.string({ minLength: 1 }), words, { noNullPrototype: true }),
      }),
      retryDelaySeconds: fc.integer({ min: 1, max: 100_000 }),
    });
    fc.assert(
      fc.property(contents, (content) => {
        assert.deepEqual(decodeStatus(encodeStatus(content)), {
          code: content.code,
          message: content.message,
          details: [
            { '@type': ERROR_INFO, ...content.errorInfo },
            { '@type': RETRY_INFO, retry_delay: { seconds: content.retryDelaySeconds, nanos: 0 } },
          ],
        });
      }),
    );
  });

  it('has the bytes that other implementations write', () => {
    // Written by another protobuf implementation; ours puts an ErrorInfo between the message and the RetryInfo.
    const code14 = Buffer.from(
      'CA4SGGF1dGggYmFja2VuZCB1bmF2YWlsYWJsZRowCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuUmV0cnlJbmZvEgQKAggC',
      'base64',
    );
    const ours = encodeStatus({ ...STATUS, message: 'auth backend unavailable' });
    const headBytes = 2 + 2 + 'auth backend unavailable'.length;
    assert.deepEqual(ours.subarray(0, headBytes), code14.subarray(0, headBytes));
    assert.deepEqual(ours.subarray(-(code14.length - headBytes)), code14.subarray(headBytes));

    const code7 = Buffer.from('CAcSD2ludmFsaWQgQVBJIGtleQ', 'base64');
    const denied = encodeStatus({ code: 7, message: 'invalid API key', errorInfo: STATUS.errorInfo });
    assert.deepEqual(denied.subarray(0, code7.length), code7);
  });
});

describe('a bare RetryInfo', () => {
  it('has the bytes that other implementations write', () => {
    assert.equal(encodeRetryInfo(1).toString('base64url'), 'CgIIAQ');
    assert.equal(encodeRetryInfo(2).toString('base64url'), 'CgIIAg');
  });

  it('is read by a protobuf library, also above what fits one byte', () => {
    assert.deepEqual(decodeRetryInfo(encodeRetryInfo(300)), { retry_delay: { seconds: 300, nanos: 0 } });
  });
});

describe('a status as JSON', () => {
  it('is the JSON form of the same message', () => {
    assert.deepEqual(JSON.parse(statusToJson(STATUS)), {
      code: 14,
      message: STATUS.message,
      details: [
        { '@type': ERROR_INFO, ...STATUS.errorInfo },
        { '@type': RETRY_INFO, retryDelay: '2s' },
      ],
    });
  });

  it('has no RetryInfo if there is no delay', () => {
    const { retryDelaySeconds: _none, ...forGood } = STATUS;
    assert.deepEqual(JSON.parse(statusToJson(forGood)), {
      code: 14,
      message: STATUS.message,
      details: [{ '@type': ERROR_INFO, ...STATUS.errorInfo }],
    });
  });
});
