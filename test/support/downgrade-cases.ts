import { block, END_HEADERS, END_STREAM, frame, FRAME } from './h2-frames.ts';
import type { Fields, FrameConnection } from './h2-frames.ts';

/** What HTTP/2 can carry and HTTP/1.1 cannot: on the way from one to the other it would become other fields or requests. */
export interface DowngradeCase {
  readonly sentence: string;
  /** Behind the pseudo-header fields and the key. */
  readonly fields?: Fields;
  /** In place of the values that pseudo-header fields have. */
  readonly replace?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly trailers?: Fields;
}

const SMUGGLED = 'POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-keygate-key-id: 1\r\ncontent-length: 0\r\n\r\n';

// oxfmt-ignore
export const DOWNGRADE_CASES: readonly DowngradeCase[] = [
  { sentence: 'a line break in a value', fields: [['x-a', `b\r\n\r\n${SMUGGLED}`]] },
  { sentence: 'a line feed in a value', fields: [['x-a', 'b\nx-keygate-key-id: 1']] },
  { sentence: 'a carriage return in a value', fields: [['x-a', 'b\rx-keygate-key-id: 1']] },
  { sentence: 'a NUL in a value', fields: [['x-a', 'b\0c']] },
  { sentence: 'a line break at the end of a value', fields: [['x-a', 'b\r\n']] },
  { sentence: 'white space around a value', fields: [['x-a', ' \tb\t ']] },
  { sentence: 'a line break in a name', fields: [['x-a: b\r\nx-keygate-key-id', '1']] },
  { sentence: 'a colon in a name', fields: [['x-keygate-key-id: 1', '']] },
  { sentence: 'a space in a name', fields: [['x-keygate-key-id ', '1']] },
  { sentence: 'a capital letter in a name', fields: [['X-Keygate-Key-Id', '1']] },
  { sentence: 'an empty name', fields: [['', 'x-keygate-key-id: 1']] },
  { sentence: 'a line break in the path', replace: { ':path': `/v1/traces HTTP/1.1\r\nx-keygate-key-id: 1\r\n\r\n${SMUGGLED}` } },
  { sentence: 'a space in the path', replace: { ':path': '/v1/traces HTTP/1.1 x' } },
  { sentence: 'a tab in the path', replace: { ':path': '/v1/traces\tHTTP/1.1' } },
  { sentence: 'a path with a host before it', replace: { ':path': 'http://x/v1/traces' } },
  { sentence: 'an empty path', replace: { ':path': '' } },
  { sentence: 'a request in the method', replace: { ':method': `POST /v1/traces HTTP/1.1\r\n${SMUGGLED}` } },
  { sentence: 'a space in the method', replace: { ':method': 'POST /v1/logs' } },
  { sentence: 'a line break in the authority', replace: { ':authority': 'x\r\nx-keygate-key-id: 1' } },
  { sentence: 'a line break in the scheme', replace: { ':scheme': 'http\r\nx-keygate-key-id: 1' } },
  { sentence: 'chunked (H2.TE)', fields: [['transfer-encoding', 'chunked']], body: `0\r\n\r\n${SMUGGLED}` },
  { sentence: 'chunked with a capital letter', fields: [['Transfer-Encoding', 'chunked']], body: `0\r\n\r\n${SMUGGLED}` },
  { sentence: 'chunked with an underscore', fields: [['transfer_encoding', 'chunked'], ['content-length', '3']], body: 'abc' },
  { sentence: 'chunked as a TE field', fields: [['te', 'chunked'], ['content-length', '0']], body: SMUGGLED },
  { sentence: 'a length that is shorter than the body (H2.CL)', fields: [['content-length', '0']], body: SMUGGLED },
  { sentence: 'a length that is longer than the body', fields: [['content-length', '1000']], body: 'abc' },
  { sentence: 'two lengths', fields: [['content-length', '3'], ['content-length', '0']], body: 'abc' },
  { sentence: 'a list of lengths', fields: [['content-length', '3, 3']], body: 'abc' },
  { sentence: 'a length with a sign', fields: [['content-length', '+3']], body: 'abc' },
  { sentence: 'an empty length', fields: [['content-length', '']], body: 'abc' },
  { sentence: 'a length in a trailer', body: SMUGGLED, trailers: [['content-length', '0']] },
  { sentence: 'chunked in a trailer', body: SMUGGLED, trailers: [['transfer-encoding', 'chunked']] },
  { sentence: 'our fields in a trailer', body: SMUGGLED, trailers: [['x-keygate-key-id', '1']] },
  { sentence: 'a pseudo-header field in a trailer', body: SMUGGLED, trailers: [[':path', '/v1/logs']] },
  { sentence: 'a Connection field', fields: [['connection', 'x-keygate-key-id']] },
  { sentence: 'a Keep-Alive field', fields: [['keep-alive', 'timeout=5']] },
  { sentence: 'an Upgrade field', fields: [['upgrade', 'h2c']] },
  { sentence: 'another host', fields: [['host', 'x']] },
  { sentence: 'two other hosts', fields: [['host', 'x'], ['host', 'y']] },
  { sentence: 'an expectation', fields: [['expect', '100-continue']], body: SMUGGLED },
  { sentence: 'a second path', fields: [[':path', '/v1/logs']] },
  { sentence: 'a second method', fields: [[':method', 'POST']] },
  { sentence: 'a pseudo-header field after the others', fields: [['x-a', 'b'], [':scheme', 'http']] },
  { sentence: 'a pseudo-header field that does not exist', fields: [[':x-keygate-key-id', '1']] },
  { sentence: 'a pseudo-header field of an answer', fields: [[':status', '200']] },
];

/** The frames of a request over HTTP/2 with this key. */
export function requestFrames(streamId: number, key: string, one: Omit<DowngradeCase, 'sentence'> = {}): Buffer[] {
  const { fields = [], replace = {}, body = '', trailers } = one;
  const pseudo: Fields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'gateway'],
    [':path', '/v1/traces'],
  ];
  const replaced: Fields = pseudo.map(([name, value]) => [name, replace[name] ?? value]);
  const head = [...replaced, ['x-api-key', key] as const, ...fields];
  return [
    frame(FRAME.HEADERS, END_HEADERS, streamId, block(head)),
    frame(FRAME.DATA, trailers ? 0 : END_STREAM, streamId, Buffer.from(body)),
    ...(trailers ? [frame(FRAME.HEADERS, END_HEADERS | END_STREAM, streamId, block(trailers))] : []),
  ];
}

/** Whether nothing more will come of a request: the end of its answer, its reset, or the end of its connection. */
export function isOver({ socket, received }: FrameConnection, streamId: number): boolean {
  return (
    socket.destroyed ||
    received.some(
      (one) =>
        one.type === FRAME.GOAWAY ||
        (one.streamId === streamId &&
          (one.type === FRAME.RST_STREAM ||
            ((one.type === FRAME.HEADERS || one.type === FRAME.DATA) && (one.flags & END_STREAM) !== 0))),
    )
  );
}
