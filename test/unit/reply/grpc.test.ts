import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { encodeGrpcMessage, toGrpcReply } from '../../../src/reply/grpc.ts';
import { explain } from '../../../src/reply/refusal.ts';
import { encodeStatus } from '../../../src/reply/status.ts';
import { reasons, row } from '../../../src/verdict/reasons.ts';
import { decodeStatus } from '../../support/rpc-status.ts';

describe('a refusal over gRPC', () => {
  it('is one block of trailers with the status, the words and the details', () => {
    const reply = explain({ verdict: 'refuse', reason: 'unknown_key' }, 'r-1');
    assert.deepEqual(toGrpcReply(reply), {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': '7',
      'grpc-message': reply.status.message,
      'grpc-status-details-bin': encodeStatus(reply.status).toString('base64').replace(/=+$/, ''),
      'x-request-id': 'r-1',
    });
  });

  it('has the delay in a trailer of its own too, where Python looks for it', () => {
    const reply = explain({ verdict: 'refuse', reason: 'store_unavailable' }, 'r-1', () => 0);
    assert.equal(toGrpcReply(reply)['google.rpc.retryinfo-bin'], 'CgIIAQ');
  });

  it('says the same code, words and reason in the details as beside them, for every reason', () => {
    for (const reason of reasons) {
      const headers = toGrpcReply(explain({ verdict: 'refuse', reason }, 'r-1', () => 0));
      const { code, message, details } = decodeStatus(
        Buffer.from(String(headers['grpc-status-details-bin']), 'base64'),
      );
      assert.equal(String(code), headers['grpc-status'], reason);
      assert.equal(message, headers['grpc-message']);
      const hasHint = row(reason).retrySeconds !== undefined;
      assert.equal('google.rpc.retryinfo-bin' in headers, hasHint, reason);
      assert.deepEqual(details, [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason,
          domain: 'keygate',
          metadata: { request_id: 'r-1' },
        },
        ...(hasHint
          ? [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retry_delay: { seconds: 1, nanos: 0 } }]
          : []),
      ]);
    }
  });
});

describe('the collector’s own grpc-message', () => {
  it('is what it was, though a client library has decoded it once', () => {
    // Words that look like an escape themselves cannot be told from one any more; a collector does not write such.
    const words = fc.string({ unit: 'grapheme' }).filter((text) => !/%[2-4]/.test(text));
    fc.assert(
      fc.property(words, (text) => {
        const decoded = decodeURI(encodeURIComponent(text));
        assert.equal(decodeURIComponent(encodeGrpcMessage(decoded)), text);
      }),
    );
    assert.equal(encodeGrpcMessage(decodeURI('100%25 of %2Fv1%3A full')), '100%25 of %2Fv1%3A full');
  });
});
