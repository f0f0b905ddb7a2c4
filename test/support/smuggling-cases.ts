import { request } from './raw-http.ts';

/**
 * Requests of HTTP/1.1 whose end, or whose recipient, two readers may see differently (RFC 9112 sections 2, 3, 5, 6, 7 and
 * 11.2), and their neighbours that are as they should be. Each is followed by another request on the same connection.
 */
export interface SmugglingCase {
  readonly sentence: string;
  readonly line?: string;
  /** Between Host and the key; with their own Host if they name one. */
  readonly fields?: readonly string[];
  /** In place of all fields but the key. */
  readonly allFields?: readonly string[];
  readonly body?: string;
  /** In place of everything; KEY stands for the key. */
  readonly bytes?: string;
  /** The statuses with which it may be refused, 0 for a connection that is closed without one; none: it must be served. */
  readonly refused: readonly number[];
  /** The body that arrives where it is served; absent: it may not be. */
  readonly served?: string;
  /** Whether it is the last one that is answered on its connection, if it is served. */
  readonly last?: true;
}

const LINE = 'POST /v1/traces HTTP/1.1';
const HOST = 'Host: gateway';
export const KEY = '{key}';
/** What must never be read as a request: where it is one, its path, and whose it says it is, give it away. */
export const SMUGGLED = request('POST /v1/logs HTTP/1.1', [
  'Host: smuggled',
  'x-keygate-key-id: 1',
  'Content-Length: 0',
]);

const TE = 'Transfer-Encoding: chunked';
const END = '0\r\n\r\n';
const chunk = (data: string): string => `${data.length.toString(16)}\r\n${data}\r\n`;
/** A body of one chunk, and within it another request. */
const CHUNKS = `${chunk(SMUGGLED)}${END}`;
const CL = `Content-Length: ${SMUGGLED.length}`;
const HELLO = `5\r\nhello\r\n${END}`;
const MANY = Array.from({ length: 1_100 }, (_, i) => `a${i}: b`);

type Rest = Partial<Omit<SmugglingCase, 'sentence' | 'refused'>>;
const refuse = (sentence: string, rest: Rest, ...statuses: number[]): SmugglingCase => ({
  sentence,
  ...rest,
  refused: statuses.length === 0 ? [400] : statuses,
});
const serve = (sentence: string, served: string, rest: Rest): SmugglingCase => ({
  sentence,
  ...rest,
  served,
  refused: [],
});
/** Either is right by the RFC. What must not be is anything in between. */
const either = (sentence: string, served: string, rest: Rest, ...statuses: number[]): SmugglingCase => ({
  ...serve(sentence, served, rest),
  refused: statuses.length === 0 ? [400] : statuses,
});

// oxfmt-ignore
const LENGTH_CASES: readonly SmugglingCase[] = [
  serve('a length', SMUGGLED, { fields: [CL], body: SMUGGLED }),
  serve('a length of nothing', '', { fields: ['Content-Length: 0'] }),
  serve('no length at all, which is no body', '', {}),
  serve('white space around a length', 'hello', { fields: ['Content-Length:\t 5 \t'], body: 'hello' }),
  serve('no white space before a length', 'hello', { fields: ['content-length:5'], body: 'hello' }),
  serve('a length with zeros before it', 'hello', { fields: ['Content-Length: 005'], body: 'hello' }),
  serve('a length that a Connection field names', SMUGGLED, { fields: ['Connection: content-length', CL], body: SMUGGLED }),
  serve('a length with an underscore, which is another field', '', { fields: ['Content_Length: 5'] }),
  refuse('two lengths that differ', { fields: ['Content-Length: 0', CL], body: SMUGGLED }),
  refuse('two lengths that agree', { fields: ['Content-Length: 0', 'Content-Length: 0'] }),
  refuse('a list of lengths', { fields: ['Content-Length: 0, 0'] }),
  refuse('a list of lengths without a space', { fields: ['Content-Length: 5,5'], body: 'hello' }),
  refuse('a length with a sign', { fields: ['Content-Length: +0'] }),
  refuse('a negative length', { fields: ['Content-Length: -1'] }),
  refuse('a length of minus nothing', { fields: ['Content-Length: -0'] }),
  refuse('a length in hexadecimal', { fields: ['Content-Length: 0x0'] }),
  refuse('a length with a point', { fields: ['Content-Length: 5.0'], body: 'hello' }),
  refuse('a length with an exponent', { fields: ['Content-Length: 5e0'], body: 'hello' }),
  refuse('a length with an underscore in it', { fields: ['Content-Length: 5_0'] }),
  refuse('a length with a space in it', { fields: ['Content-Length: 5 0'] }),
  refuse('a length with a parameter', { fields: ['Content-Length: 0;'] }),
  refuse('a length in quotes', { fields: ['Content-Length: "0"'] }),
  refuse('a length in letters', { fields: ['Content-Length: none'] }),
  refuse('a length in digits that are not of ASCII', { fields: ['Content-Length: \xef\xbc\x95'] }),
  refuse('a vertical tab before a length', { fields: ['Content-Length: \x0b0'] }),
  refuse('a NUL after a length', { fields: ['Content-Length: 0\0'] }),
  refuse('an empty length', { fields: ['Content-Length:'] }),
  refuse('a length beyond 64 bits', { fields: ['Content-Length: 99999999999999999999999'] }),
  refuse('a length that is 5 once it has overflowed', { fields: ['Content-Length: 18446744073709551621'], body: 'hello' }),
  refuse('a space before the colon of the length', { fields: ['Content-Length : 0'] }),
  refuse('a NUL in the name of the length', { fields: ['Content-Length\0: 0'] }),
  refuse('a folded length', { fields: ['Content-Length:\r\n 5'], body: 'hello' }),
];

// oxfmt-ignore
const CODING_CASES: readonly SmugglingCase[] = [
  serve('chunks', SMUGGLED, { fields: [TE], body: CHUNKS }),
  serve('chunks in capital letters', SMUGGLED, { fields: ['TRANSFER-ENCODING: CHUNKED'], body: CHUNKS }),
  serve('chunks behind a tab', SMUGGLED, { fields: ['transfer-encoding:\tChunked '], body: CHUNKS }),
  serve('chunks without a space', SMUGGLED, { fields: ['Transfer-Encoding:chunked'], body: CHUNKS }),
  serve('chunks with an underscore, which is another field', SMUGGLED, { fields: ['Transfer_Encoding: chunked', CL], body: SMUGGLED }),
  serve('chunks that a Connection field names', SMUGGLED, { fields: ['Connection: transfer-encoding', TE], body: CHUNKS }),
  serve('a TE field, which is about the answer', SMUGGLED, { fields: ['TE: chunked', CL], body: SMUGGLED }),
  serve('a field that ends like it', SMUGGLED, { fields: ['X-Transfer-Encoding: chunked', CL], body: SMUGGLED }),
  serve('a length with an underscore beside chunks', SMUGGLED, { fields: ['Content_Length: 0', TE], body: CHUNKS }),
  refuse('a length and chunks (CL.TE)', { fields: [`Content-Length: ${END.length + SMUGGLED.length}`, TE], body: END + SMUGGLED }),
  refuse('chunks and a length (TE.CL)', { fields: [TE, 'Content-Length: 4'], body: CHUNKS }),
  refuse('chunks and a length of nothing (TE.0)', { fields: [TE, 'Content-Length: 0'], body: CHUNKS }),
  refuse('gzip before chunked', { fields: ['Transfer-Encoding: gzip, chunked'], body: END }),
  refuse('identity before chunked', { fields: ['Transfer-Encoding: identity, chunked'], body: END }),
  refuse('identity after chunked', { fields: ['Transfer-Encoding: chunked, identity'], body: END }),
  refuse('identity alone', { fields: ['Transfer-Encoding: identity', 'Content-Length: 0'] }),
  refuse('a coding that nobody knows', { fields: ['Transfer-Encoding: cow', 'Content-Length: 0'] }),
  refuse('chunked twice', { fields: [TE, TE], body: END }),
  refuse('chunked twice in one field', { fields: ['Transfer-Encoding: chunked, chunked'], body: END }),
  refuse('chunked and identity in two fields', { fields: [TE, 'Transfer-Encoding: identity'], body: END }),
  refuse('chunked after an empty element', { fields: ['Transfer-Encoding: , chunked'], body: END }),
  refuse('chunked before an empty element', { fields: ['Transfer-Encoding: chunked,'], body: END }),
  refuse('chunked with a parameter', { fields: ['Transfer-Encoding: chunked;q=1'], body: END }),
  refuse('chunked in quotes', { fields: ['Transfer-Encoding: "chunked"'], body: END }),
  refuse('chunked in single quotes', { fields: [`Transfer-Encoding: 'chunked'`], body: END }),
  refuse('a word that ends in chunked', { fields: ['Transfer-Encoding: xchunked'], body: END }),
  refuse('a word that begins with chunked', { fields: ['Transfer-Encoding: chunkedx'], body: END }),
  refuse('a vertical tab before chunked', { fields: ['Transfer-Encoding: \x0bchunked'], body: END }),
  refuse('a form feed after chunked', { fields: ['Transfer-Encoding: chunked\x0c'], body: END }),
  refuse('a NUL before chunked', { fields: ['Transfer-Encoding: \0chunked'], body: END }),
  refuse('a space of Latin-1 after chunked', { fields: ['Transfer-Encoding: chunked\xa0'], body: END }),
  refuse('an empty transfer coding', { fields: ['Transfer-Encoding:', 'Content-Length: 0'] }),
  refuse('a space before the colon of the transfer coding', { fields: ['Transfer-Encoding : chunked'], body: END }),
  refuse('a tab before the colon of the transfer coding', { fields: ['Transfer-Encoding\t: chunked'], body: END }),
  refuse('a space before the name of the transfer coding', { allFields: [' Transfer-Encoding: chunked', HOST], body: END }),
  refuse('a NUL in the name of the transfer coding', { fields: ['Transfer-Encoding\0: chunked'], body: END }),
  refuse('a byte above ASCII in the name of the transfer coding', { fields: ['Transfer-Encodin\xe7: chunked'], body: END }),
  refuse('a folded transfer coding', { fields: ['X-A: b\r\n Transfer-Encoding: chunked'], body: END }),
  refuse('a transfer coding whose value is folded', { fields: ['Transfer-Encoding:\r\n chunked'], body: END }),
  refuse('a transfer coding behind a bare carriage return', { fields: ['X-A: b\rTransfer-Encoding: chunked', 'Content-Length: 0'] }),
  refuse('a transfer coding behind a bare line feed', { fields: ['X-A: b\nTransfer-Encoding: chunked'], body: END }),
  refuse('chunks on HTTP/1.0', { line: 'POST /v1/traces HTTP/1.0', fields: [TE], body: END }),
];

// oxfmt-ignore
const CHUNK_CASES: readonly SmugglingCase[] = [
  serve('chunks in several parts', `hello${SMUGGLED}`, { fields: [TE], body: `${chunk('hello')}${CHUNKS}` }),
  serve('a chunk size with zeros before it', 'hello', { fields: [TE], body: '0005\r\nhello\r\n00\r\n\r\n' }),
  serve('a chunk size in small and capital letters', 'abcdefghijklmnopqrstuvwxyz', { fields: [TE], body: `1A\r\nabcdefghijklmnopqrstuvwxyz\r\n${END}` }),
  serve('trailers, which do not go on', 'hello', { fields: [TE], body: '5\r\nhello\r\n0\r\nx-keygate-key-id: 1\r\nX-A: b\r\n\r\n' }),
  either('a length in a trailer', 'hello', { fields: [TE], body: '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n' }),
  either('chunks in a trailer', 'hello', { fields: [TE], body: '5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n' }),
  either('a chunk extension', 'hello', { fields: [TE], body: `5;a=b\r\nhello\r\n${END}` }),
  either('a chunk extension in quotes', 'hello', { fields: [TE], body: `5;a="b;c"\r\nhello\r\n${END}` }),
  either('a chunk extension behind white space', 'hello', { fields: [TE], body: `5 ;a=b\r\nhello\r\n${END}` }),
  either('a chunk extension without a name', 'hello', { fields: [TE], body: `5;\r\nhello\r\n${END}` }),
  refuse('a chunk without a size', { fields: [TE], body: '\r\nhello\r\n' }),
  refuse('a chunk size that is no number', { fields: [TE], body: 'zz\r\n' }),
  refuse('a chunk size in the form 0x', { fields: [TE], body: `0x5\r\nhello\r\n${END}` }),
  refuse('a chunk size with a sign', { fields: [TE], body: `+5\r\nhello\r\n${END}` }),
  refuse('a negative chunk size', { fields: [TE], body: `-5\r\nhello\r\n${END}` }),
  refuse('a chunk size with an underscore', { fields: [TE], body: `0_5\r\nhello\r\n${END}` }),
  refuse('a space before a chunk size', { fields: [TE], body: ` 5\r\nhello\r\n${END}` }),
  refuse('a tab after a chunk size', { fields: [TE], body: `5\t\r\nhello\r\n${END}` }),
  refuse('a space after a chunk size', { fields: [TE], body: `5 \r\nhello\r\n${END}` }),
  refuse('a NUL after a chunk size', { fields: [TE], body: `5\0\r\nhello\r\n${END}` }),
  refuse('a chunk size beyond 64 bits', { fields: [TE], body: '10000000000000005\r\nhello\r\n' }),
  refuse('a chunk that is longer than it says', { fields: [TE], body: `1\r\nab\r\n${END}` }),
  refuse('a chunk whose data ends in two other bytes', { fields: [TE], body: `5\r\nhelloXX${END}` }),
  refuse('a chunk whose data ends without a line break', { fields: [TE], body: `5\r\nhello${END}` }),
  refuse('a chunk whose data ends in a bare line feed', { fields: [TE], body: `5\r\nhello\n${END}` }),
  refuse('a bare line feed after a chunk size', { fields: [TE], body: `5\nhello\r\n${END}` }),
  refuse('a bare carriage return after a chunk size', { fields: [TE], body: `5\rhello\r\n${END}` }),
  refuse('two carriage returns after a chunk size', { fields: [TE], body: `5\r\r\nhello\r\n${END}` }),
  refuse('a bare line feed after the last chunk size', { fields: [TE], body: `5\r\nhello\r\n0\n\r\n` }),
  refuse('a line feed in a chunk extension (TERM.EXT)', { fields: [TE], body: `5;a\nb\r\nhello\r\n${END}` }),
  refuse('a line feed in the quotes of a chunk extension', { fields: [TE], body: `5;a="\n"\r\nhello\r\n${END}` }),
  refuse('a carriage return in a chunk extension', { fields: [TE], body: `5;a\rb\r\nhello\r\n${END}` }),
  refuse('a NUL in a chunk extension', { fields: [TE], body: `5;a\0b\r\nhello\r\n${END}` }),
  refuse('20,000 bytes of chunk extension (CVE-2024-22019)', { fields: [TE], body: `5;${'a'.repeat(20_000)}\r\nhello\r\n${END}` }),
  either('a chunk size behind 20,000 zeros', 'hello', { fields: [TE], body: `${'0'.repeat(20_000)}5\r\nhello\r\n${END}` }),
  refuse('a folded trailer', { fields: [TE], body: '0\r\nX-A: b\r\n c\r\n\r\n' }),
  refuse('a trailer without a colon', { fields: [TE], body: '0\r\nX-A\r\n\r\n' }),
  refuse('a space before the colon of a trailer', { fields: [TE], body: '0\r\nX-A : b\r\n\r\n' }),
  refuse('a bare line feed in a trailer', { fields: [TE], body: '0\r\nX-A: b\nX-B: c\r\n\r\n' }),
  refuse('a NUL in a trailer', { fields: [TE], body: '0\r\nX-A: \0\r\n\r\n' }),
  refuse('20,000 bytes of trailers', { fields: [TE], body: `0\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n` }, 400, 431),
];

// oxfmt-ignore
const LINE_CASES: readonly SmugglingCase[] = [
  either('an empty line before the request (RFC 9112 section 2.2)', '', { bytes: `\r\n${request(LINE, [HOST, `X-API-Key: ${KEY}`])}` }),
  either('a line feed before the request', '', { bytes: `\n${request(LINE, [HOST, `X-API-Key: ${KEY}`])}` }),
  refuse('a space before the method', { line: ` ${LINE}` }),
  either('two spaces after the method', '', { line: 'POST  /v1/traces HTTP/1.1' }),
  refuse('a tab after the method', { line: 'POST\t/v1/traces HTTP/1.1' }),
  either('two spaces after the target', '', { line: 'POST /v1/traces  HTTP/1.1' }),
  refuse('a space after the version', { line: `${LINE} ` }),
  refuse('a carriage return too many after the version', { line: `${LINE}\r` }),
  refuse('a bare line feed after the request line', { bytes: `${LINE}\n${HOST}\r\nX-API-Key: ${KEY}\r\n\r\n` }),
  refuse('bare line feeds all over', { bytes: `${LINE}\n${HOST}\nX-API-Key: ${KEY}\n\n` }),
  refuse('bare carriage returns all over', { bytes: `${LINE}\r${HOST}\rX-API-Key: ${KEY}\r\r\r\n\r\n` }),
  refuse('a bare line feed at the end of the head', { bytes: `${LINE}\r\n${HOST}\r\nX-API-Key: ${KEY}\r\n\n` }),
  refuse('a method in small letters', { line: 'post /v1/traces HTTP/1.1' }, 400, 405),
  refuse('a NUL in the method', { line: 'PO\0ST /v1/traces HTTP/1.1' }),
  refuse('a method of another protocol', { line: 'PRI * HTTP/2.0' }, 400, 0),
  refuse('HTTP/2.0 in a request line', { line: 'POST /v1/traces HTTP/2.0' }),
  refuse('a version that does not exist', { line: 'POST /v1/traces HTTP/1.2' }),
  refuse('a version of two digits', { line: 'POST /v1/traces HTTP/1.10' }),
  refuse('a version with a zero before it', { line: 'POST /v1/traces HTTP/01.1' }),
  refuse('a version in small letters', { line: 'POST /v1/traces http/1.1' }),
  refuse('HTTP/0.9 by its name', { line: 'POST /v1/traces HTTP/0.9' }),
  refuse('a request line without a version', { line: 'POST /v1/traces' }),
  refuse('something after the version', { line: 'POST /v1/traces HTTP/1.1 HTTP/1.1' }),
  refuse('a space in the target', { line: 'POST /v1/traces /x HTTP/1.1' }),
  refuse('a NUL in the target', { line: 'POST /v1/traces\0 HTTP/1.1' }, 400, 404),
  refuse('a control character in the target', { line: 'POST /v1/traces\x7f HTTP/1.1' }, 400, 404),
  refuse('a byte above ASCII in the target', { line: 'POST /v1/traces\xff HTTP/1.1' }, 400, 404),
  either('a target with a scheme and a host', '', { line: 'POST http://other/v1/traces HTTP/1.1' }, 400, 404),
  refuse('a target with two slashes', { line: 'POST //v1/traces HTTP/1.1' }, 400, 404),
  refuse('a target with dots', { line: 'POST /v1/logs/../traces HTTP/1.1' }, 400, 404),
  refuse('an escaped target', { line: 'POST /v1%2Ftraces HTTP/1.1' }, 400, 404),
  refuse('a target with a fragment', { line: 'POST /v1/traces#x HTTP/1.1' }, 400, 404),
  refuse('a target without a slash', { line: 'POST v1/traces HTTP/1.1' }, 400, 404),
  refuse('a target that is an asterisk', { line: 'POST * HTTP/1.1' }, 400, 404),
  refuse('a tunnel (CONNECT)', { line: 'CONNECT other:443 HTTP/1.1' }, 400, 404, 405, 0),
  serve('a query, which does not go on', '', { line: 'POST /v1/traces?x=/v1/logs HTTP/1.1' }),
];

// oxfmt-ignore
const FIELD_CASES: readonly SmugglingCase[] = [
  refuse('no Host', { allFields: ['Content-Length: 0'] }),
  refuse('two hosts', { fields: ['Host: other'] }),
  refuse('the same host twice', { fields: [HOST] }),
  refuse('a folded field (obs-fold)', { fields: ['X-A: b\r\n c'] }),
  refuse('a field that is folded with a tab', { fields: ['X-A: b\r\n\tc'] }),
  refuse('a fold before the first field', { bytes: `${LINE}\r\n ${HOST}\r\nX-API-Key: ${KEY}\r\n\r\n` }),
  refuse('a fold around nothing', { fields: ['X-A: b\r\n '] }),
  refuse('a bare carriage return in a field', { fields: ['X-A: b\rc'] }),
  refuse('a bare line feed after a field', { fields: ['X-A: b\nX-B: c'] }),
  refuse('two carriage returns after a field', { fields: ['X-A: b\r'] }),
  refuse('a NUL in a field', { fields: ['X-A: b\0'] }),
  refuse('a control character in a field', { fields: ['X-A: b\x01'] }),
  refuse('a DEL in a field', { fields: ['X-A: b\x7f'] }),
  either('bytes above ASCII in a field', '', { fields: ['X-A: \xc3\xa4\xff'] }),
  refuse('a field without a colon', { fields: ['X-A'] }),
  refuse('a field without a name', { fields: [': b'] }),
  refuse('a space in a name', { fields: ['X A: b'] }),
  refuse('a space before a colon', { fields: ['X-A : b'] }),
  refuse('a NUL in a name', { fields: ['X\0A: b'] }),
  refuse('a byte above ASCII in a name', { fields: ['X\xffA: b'] }),
  refuse('a parenthesis in a name', { fields: ['X(A): b'] }),
  refuse('quotes around a name', { fields: ['"X-A": b'] }),
  refuse('a slash in a name', { fields: ['X/A: b'] }),
  serve('an empty field', '', { fields: ['X-A:'] }),
  serve('every character that a name may have', '', { fields: ["!#$%&'*+-.^`|~09azAZ: b"] }),
  serve('a name of our own, in many spellings', '', { fields: ['X-Keygate-Key-Id: 1', 'x_keygate_key_id: 1', 'X-KEYGATE.TENANT: 1'] }),
  serve('a Connection field that names the key, our fields and all that says where it ends', 'hello', { fields: ['Connection: x-api-key, authorization, x-keygate-key-id, content-length, host', 'Content-Length: 5'], body: 'hello' }),
  serve('the connection ends behind it', 'hello', { fields: ['Connection: close', 'Content-Length: 5'], body: 'hello', last: true }),
  refuse('more than 1,000 fields before a length (CVE-2026-58044)', { fields: [...MANY, CL], body: SMUGGLED }, 431),
  refuse('more than 1,000 fields before chunks', { fields: [...MANY, TE], body: CHUNKS }, 431),
  refuse('a field of 20,000 bytes', { fields: [`X-A: ${'a'.repeat(20_000)}`] }, 431),
  refuse('a name of 20,000 bytes', { fields: [`${'a'.repeat(20_000)}: b`] }, 431),
];

// oxfmt-ignore
const PROTOCOL_CASES: readonly SmugglingCase[] = [
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PUT', 'PATCH', 'TRACE'].flatMap((method) => [
    refuse(`a ${method} with chunks`, { line: `${method} /v1/traces HTTP/1.1`, fields: [TE], body: CHUNKS }, 400, 405),
    refuse(`a ${method} with a length`, { line: `${method} /v1/traces HTTP/1.1`, fields: [CL], body: SMUGGLED }, 400, 405),
  ]),
  refuse('a GET that hides its length behind 1,000 fields (CVE-2026-58044)', { line: 'GET /v1/traces HTTP/1.1', fields: [...MANY, CL], body: SMUGGLED }, 431),
  serve('leave that is asked for', 'hello', { fields: ['Expect: 100-continue', 'Content-Length: 5'], body: 'hello' }),
  serve('leave that is asked for, in chunks', 'hello', { fields: ['Expect: 100-continue', TE], body: HELLO }),
  serve('leave that is asked for in a strange way (0.CL)', SMUGGLED, { fields: ['Expect: y 100-continue', CL], body: SMUGGLED }),
  serve('leave that is asked for twice', SMUGGLED, { fields: ['Expect: 100-continue', 'Expect: 100-continue', CL], body: SMUGGLED }),
  serve('an expectation that nobody can meet', SMUGGLED, { fields: ['Expect: unicorns', CL], body: SMUGGLED }),
  serve('an upgrade to h2c', 'hello', { fields: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA', 'Content-Length: 5'], body: 'hello', last: true }),
  serve('an upgrade to WebSocket', 'hello', { fields: ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 5'], body: 'hello', last: true }),
  serve('an upgrade to nothing', 'hello', { fields: ['Connection: Upgrade', 'Content-Length: 5'], body: 'hello' }),
  serve('a request of HTTP/1.0', 'hello', { line: 'POST /v1/traces HTTP/1.0', fields: ['Content-Length: 5'], body: 'hello', last: true }),
  either('a request of HTTP/1.0 that wants to keep its connection', 'hello', { line: 'POST /v1/traces HTTP/1.0', fields: ['Connection: keep-alive', 'Content-Length: 5'], body: 'hello' }),
  refuse('no key', { bytes: request(LINE, [HOST, CL], SMUGGLED) }, 403),
  refuse('no key, in chunks', { bytes: request(LINE, [HOST, TE], CHUNKS) }, 403),
  refuse('no route', { line: 'POST /v1/other HTTP/1.1', fields: [CL], body: SMUGGLED }, 404),
];

export const SMUGGLING_CASES: readonly SmugglingCase[] = [
  ...LENGTH_CASES,
  ...CODING_CASES,
  ...CHUNK_CASES,
  ...LINE_CASES,
  ...FIELD_CASES,
  ...PROTOCOL_CASES,
];

/** What is sent for it, one character a byte. */
export function bytesOf({ line = LINE, fields = [], allFields, body = '', bytes }: SmugglingCase, key: string): string {
  const all = [...(allFields ?? [HOST, ...fields]), `X-API-Key: ${KEY}`];
  return (bytes ?? request(line, all, body)).replaceAll(KEY, key);
}
