import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AnswerReader } from '../../../../../src/plane/wire/http2/answer-reader.ts';
import { encodeFields } from '../../../../../src/plane/wire/http2/hpack/encoder.ts';

function createReader(): AnswerReader {
  const reader = new AnswerReader();
  reader.settingsAcknowledged();
  return reader;
}

const HEAD = [':status', '200', 'content-type', 'application/grpc'];

describe('the header blocks of a collector', () => {
  it('are read once where only their varying fields differ', () => {
    const reader = createReader();
    const heads = Array.from({ length: 4 }, (_, i) => {
      const read = reader.read(encodeFields([...HEAD, 'date', `Mon, ${i}`, 'content-length', String(i)]));
      assert.ok(typeof read === 'object');
      assert.deepEqual(read.varying, ['date', `Mon, ${i}`, 'content-length', String(i)]);
      assert.deepEqual(read.head.fields, HEAD.slice(2));
      return read.head;
    });
    assert.deepEqual([heads[1] === heads[0], heads[2] === heads[1], heads[3] === heads[2]], [false, true, true]);
  });

  it('may have blanks around their values, as those of grpc-go', () => {
    const reader = createReader();
    for (let i = 0; i < 4; i++) {
      const read = reader.read(encodeFields(['grpc-status', '3', 'grpc-message', ' rejected: ', 'date', ' now\t']));
      assert.ok(typeof read === 'object');
      assert.deepEqual([read.head.grpcStatus, read.head.fields[3], read.varying], [3, 'rejected:', ['date', 'now']]);
    }
  });

  it('are malformed where they say what no field may say, whether that varies or not', () => {
    for (const name of ['date', 'content-length', 'x-request-id', 'grpc-message']) {
      for (const value of ['a\r\nset-cookie: b', 'a\n', '\0', '\v']) {
        const reader = createReader();
        for (let i = 0; i < 3; i++) reader.read(encodeFields([...HEAD, name, 'fine']));
        for (let i = 0; i < 3; i++) assert.equal(reader.read(encodeFields([...HEAD, name, value])), 'malformed');
      }
    }
  });
});
