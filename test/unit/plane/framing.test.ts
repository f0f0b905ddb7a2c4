import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { framingProblem } from '../../../src/plane/library/framing.ts';
import { exceedsHeaderLimits } from '../../../src/plane/library/limits.ts';

const HOST = ['Host', 'gateway'];

interface Case {
  readonly sentence: string;
  readonly fields: readonly string[];
  readonly version?: string;
  readonly isFine?: true;
}

// oxfmt-ignore
const CASES: readonly Case[] = [
  { sentence: 'a length is fine', fields: [...HOST, 'Content-Length', '3'], isFine: true },
  { sentence: 'chunked is fine on HTTP/1.1, in any case', fields: [...HOST, 'Transfer-Encoding', ' Chunked '], isFine: true },
  { sentence: 'no body at all is fine', fields: HOST, isFine: true },
  { sentence: 'no Host is fine on HTTP/1.0', fields: [], version: '1.0', isFine: true },
  { sentence: 'chunked on HTTP/1.0 is ambiguous', fields: [...HOST, 'Transfer-Encoding', 'chunked'], version: '1.0' },
  { sentence: 'a request line without a version is ambiguous', fields: HOST, version: '0.9' },
  { sentence: 'a request line that says HTTP/2.0 is ambiguous', fields: HOST, version: '2.0' },
  { sentence: 'a coding before chunked is ambiguous', fields: [...HOST, 'Transfer-Encoding', 'gzip, chunked'] },
  { sentence: 'identity before chunked is ambiguous', fields: [...HOST, 'Transfer-Encoding', 'identity, chunked'] },
  { sentence: 'chunked twice in one field is ambiguous', fields: [...HOST, 'Transfer-Encoding', 'chunked, chunked'] },
  { sentence: 'a transfer coding that is not chunked is ambiguous', fields: [...HOST, 'Transfer-Encoding', 'gzip'] },
  { sentence: 'an empty transfer coding is ambiguous', fields: [...HOST, 'Transfer-Encoding', ''] },
  { sentence: 'a good transfer coding after a bad one is ambiguous', fields: [...HOST, 'Transfer-Encoding', 'x', 'Transfer-Encoding', 'chunked'] },
  { sentence: 'two hosts are ambiguous', fields: [...HOST, 'host', 'other'] },
  { sentence: 'the same host twice is ambiguous', fields: [...HOST, ...HOST] },
];

function requestWith(rawHeaders: readonly string[], httpVersion: string): IncomingMessage {
  return Object.assign(new IncomingMessage(new Socket()), { rawHeaders: [...rawHeaders], httpVersion });
}

describe('where a request ends and whom it is for:', () => {
  for (const { sentence, fields, version = '1.1', isFine } of CASES) {
    it(sentence, () => assert.equal(framingProblem(requestWith(fields, version)), isFine ? undefined : 'bad_request'));
  }
});

describe('the limits of a request head', () => {
  const limits = { maxHeaders: 3, maxHeaderBytes: 150 };

  it('count fields', () => {
    const three = ['a', '1', 'b', '2', 'c', '3'];
    assert.equal(exceedsHeaderLimits(three, limits), false);
    assert.equal(exceedsHeaderLimits([...three, 'd', '4'], limits), true);
  });

  it('count names, values and 32 bytes for each field, so that many small fields are not cheap', () => {
    const filled = (valueBytes: number): string[] => ['ab', 'x'.repeat(valueBytes), 'cd', ''];
    assert.equal(exceedsHeaderLimits(filled(150 - 2 * 32 - 4), limits), false);
    assert.equal(exceedsHeaderLimits(filled(150 - 2 * 32 - 4 + 1), limits), true);
  });
});
