import fc from 'fast-check';
import type { Part } from './exchange.ts';
import { NAME_FIELD } from './outcome.ts';
import { sequence } from './sequence.ts';

/** Requests over HTTP/1.1, byte by byte: what senders write, and what they should not. */

export interface KeyTexts {
  readonly good: string;
  readonly unknown: string;
  readonly mistyped: string;
}

export interface Http1Case {
  readonly requests: readonly (RequestPlan & { readonly isOdd?: boolean })[];
  readonly cuts: readonly number[];
}

export interface RequestPlan {
  readonly key: 'good' | 'unknown' | 'mistyped' | 'none' | 'two' | 'malformed';
  readonly carrier: string;
  readonly line: string;
  readonly host: readonly string[];
  readonly type: string;
  readonly fields: readonly string[];
  readonly framing: Framing;
  readonly lineEnd: string;
}

interface Framing {
  readonly fields: readonly string[];
  readonly body: string;
  /** Bytes that belong to no request, if the head says the truth to some and not to others. */
  readonly behind: string;
}

const SMUGGLED = `POST /v1/traces HTTP/1.1\r\nHost: a\r\n${NAME_FIELD}: smuggled\r\nContent-Length: 0\r\n\r\n`;

const CLEAN_LINES = ['POST /v1/traces HTTP/1.1', 'POST /v1/logs HTTP/1.1', 'POST /v1/metrics HTTP/1.1'];
const ODD_LINES = [
  'GET /v1/traces HTTP/1.1',
  'HEAD /v1/traces HTTP/1.1',
  'PUT /v1/traces HTTP/1.1',
  'DELETE /v1/traces HTTP/1.1',
  'OPTIONS /v1/traces HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'post /v1/traces HTTP/1.1',
  'FOO /v1/traces HTTP/1.1',
  'POST /nowhere HTTP/1.1',
  'POST /v1/traces?key=1 HTTP/1.1',
  'POST /v1/traces? HTTP/1.1',
  'POST /v1/traces/ HTTP/1.1',
  'POST /V1/traces HTTP/1.1',
  'POST //v1/traces HTTP/1.1',
  'POST /v1/../v1/traces HTTP/1.1',
  'POST /v1/%74races HTTP/1.1',
  'POST /v1/traces#a HTTP/1.1',
  'POST http://gateway/v1/traces HTTP/1.1',
  'POST gateway:80 HTTP/1.1',
  'POST /v1/tr\u00e4ces HTTP/1.1',
  'POST  /v1/traces HTTP/1.1',
  'POST /v1/traces  HTTP/1.1',
  'POST\t/v1/traces HTTP/1.1',
  ' POST /v1/traces HTTP/1.1',
  'POST /v1/traces HTTP/1.1 ',
  'POST /v1/traces HTTP/1.0',
  'POST /v1/traces HTTP/2.0',
  'POST /v1/traces HTTP/1.2',
  'POST /v1/traces http/1.1',
  'POST /v1/traces',
  'PRI * HTTP/1.1',
];

const CLEAN_FIELDS = [
  'User-Agent: OTel-OTLP-Exporter/1.0',
  'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'tracestate: a=1,b=2',
  'x-b3-traceid: 7',
  'Content-Encoding: gzip',
  'Accept: */*',
  'X-Extra: value',
  'X-Extra:value',
  'X-Extra:  \t value \t ',
  'X-Empty:',
  'x-latin: \u00e4\u00ff',
  'X-Forwarded-For: 10.0.0.1, 10.0.0.2',
  'baggage: k=v;p=1',
  'Cookie: a=1; b=2',
  'date: Sat, 21 Nov 2026 15:00:00 GMT',
  'Keep-Alive: timeout=5',
  'grpc-timeout: 5S',
  'X-Keygate-Key-Id: 1',
  'x-keygate-tenant: other',
  'Connection: keep-alive',
  'Proxy-Connection: keep-alive',
];
const ODD_FIELDS = [
  'X_Keygate_Key_Id: 1',
  'Connection: x-keygate-key-id, x-extra',
  'Connection: close, traceparent',
  'Connection: upgrade',
  'Upgrade: h2c',
  'Upgrade: websocket',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Expect: 100-continue',
  'expect: 100-Continue',
  'TE: trailers',
  'TE: gzip',
  'Trailer: x-late',
  'Proxy-Authorization: Basic YTpi',
  'X-Extra : value',
  'X-Extra: a\r\n b',
  ' X-Extra: a',
  'X-Extra: a\rb',
  'X-Extra: a\nX-Other: b',
  'X-Nul: a\0b',
  'X-Del: a\x7fb',
  'X-Bell: a\x07',
  ': nameless',
  'no colon',
  'X(Extra): a',
  'X-\u00e4: a',
  'constructor: a',
  'content-type: text/plain',
  'date: a\x01',
  'traceparent: ',
  'X-Correlation-Id:  padded  ',
];

const FRAMINGS: readonly Framing[] = [
  { fields: ['Content-Length: 9'], body: 'telemetry', behind: '' },
  { fields: ['content-length: 0'], body: '', behind: '' },
  { fields: [`Content-Length: ${SMUGGLED.length}`], body: SMUGGLED, behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['transfer-encoding: chunked'], body: '3\r\ntel\r\n006\r\nemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: Chunked'], body: '0\r\n\r\n', behind: '' },
  {
    fields: ['Transfer-Encoding: chunked'],
    body: `${SMUGGLED.length.toString(16).toUpperCase()}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
    behind: '',
  },
  { fields: ['Transfer-Encoding: chunked'], body: '1\r\na\r\n'.repeat(40) + '0\r\n\r\n', behind: '' },
];
const ODD_FRAMINGS: readonly Framing[] = [
  { fields: [], body: '', behind: '' },
  { fields: ['Content-Length: 9'], body: 'telemetry', behind: 'more' },
  { fields: ['Content-Length: 9'], body: 'telemetry', behind: '\r\n' },
  { fields: ['Content-Length: 9'], body: 'telemetry', behind: '\r\n\r\n' },
  { fields: ['Content-Length: 90000'], body: 'short', behind: '' },
  { fields: [], body: '', behind: 'telemetry' },
  { fields: ['Content-Length: +9'], body: 'telemetry', behind: '' },
  { fields: ['Content-Length: 9 '], body: 'telemetry', behind: '' },
  { fields: ['Content-Length:\t9'], body: 'telemetry', behind: '' },
  { fields: ['Content-Length: 09'], body: 'telemetry', behind: '' },
  { fields: ['Content-Length: 0x9'], body: 'telemetry', behind: '' },
  { fields: ['Content-Length: 9, 9'], body: 'telemetry', behind: '' },
  { fields: ['Content-Length: 9', 'Content-Length: 9'], body: 'telemetry', behind: '' },
  { fields: ['Content-Length: 9', 'content-length: 0'], body: 'telemetry', behind: '' },
  { fields: ['Content-Length: -1'], body: '', behind: '' },
  { fields: ['Content-Length: 1e1'], body: 'telemetry!', behind: '' },
  { fields: ['Content-Length: 99999999999999999999'], body: 'telemetry', behind: '' },
  { fields: ['Content_Length: 9', 'Content-Length: 0'], body: '', behind: '' },
  { fields: ['Content-Length: 5', 'Transfer-Encoding: chunked'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked', 'Content-Length: 5'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: gzip, chunked'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked, identity'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: identity'], body: '', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: xchunked'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: \x0bchunked'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding : chunked'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked;q=1'], body: '0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer_Encoding: chunked', 'Content-Length: 5'], body: '0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9;ext=1\r\ntelemetry\r\n0;e="x"\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9\r\ntelemetry\r\n0\r\nx-late: 1\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9\r\ntelemetry\r\n0\r\nContent-Length: 50\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9\r\ntelemetry\r\n0\r\nbad trailer\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9\ntelemetry\n0\n\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked'], body: '9\r\ntelemetry0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked'], body: '5\r\ntelemetry\r\n0\r\n\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked'], body: ' 9\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9 \r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9;\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '9;a=\nb\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '0x9\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '-9\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '100000009\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '0000000000009\r\ntelemetry\r\n0\r\n\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '\r\n', behind: SMUGGLED },
  { fields: ['Transfer-Encoding: chunked'], body: '9\r\ntelemetry\r\n', behind: '' },
  { fields: ['Transfer-Encoding: chunked'], body: '0\r\n\r', behind: '' },
];

const mostly = <T>(clean: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, weight = 5): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: clean }, { weight: 1, arbitrary: odd });
const of = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

const HOST = ['Host: gateway:4318'];
const clean: fc.Arbitrary<RequestPlan> = fc.record({
  key: mostly(fc.constant('good' as const), of(['unknown', 'mistyped', 'none', 'malformed'] as const), 4),
  carrier: of(['X-API-Key: ', 'x-api-key:', 'Authorization: Bearer ', 'authorization: ApiKey ']),
  line: of(CLEAN_LINES),
  host: fc.constant(HOST),
  type: of(['application/x-protobuf', 'application/json', 'application/x-protobuf; charset=utf-8']),
  fields: fc.array(of(CLEAN_FIELDS), { maxLength: 4 }),
  framing: of(FRAMINGS),
  lineEnd: fc.constant('\r\n'),
});
const odd: fc.Arbitrary<RequestPlan> = fc.record({
  key: mostly(fc.constant('good' as const), of(['unknown', 'mistyped', 'none', 'two', 'malformed'] as const)),
  carrier: of(['X-API-Key: ', 'Authorization: Bearer ', 'Authorization: apikey ', 'X_API_KEY: ', 'Authorization: ']),
  line: mostly(of(CLEAN_LINES), of(ODD_LINES), 3),
  host: mostly(
    fc.constant(HOST),
    of([
      [],
      ['Host: '],
      [...HOST, ...HOST],
      [...HOST, 'host: b'],
      ['Host: a b'],
      ['Host: a/b'],
      ['Host: a,b'],
      ['Host: u@a'],
    ]),
    8,
  ),
  type: of(['application/x-protobuf', 'application/json', 'text/plain']),
  fields: fc.array(mostly(of(CLEAN_FIELDS), of(ODD_FIELDS), 1), { maxLength: 4 }),
  framing: mostly(of(FRAMINGS), of(ODD_FRAMINGS), 1),
  lineEnd: mostly(fc.constant('\r\n'), of(['\n', '\r', '\r\r\n']), 30),
});

/** Requests one behind the other on one connection: good ones, and at most one that is odd, which nothing else waits for. */
export const http1Case: fc.Arbitrary<Http1Case> = fc.record({
  requests: sequence(clean, odd),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
});

/** What is written for it. The odd request and what comes behind it wait for the answers of what came before. */
export function writeHttp1({ requests, cuts }: Http1Case, name: string, keys: KeyTexts): Part[] {
  const parts: Part[] = [];
  let bytes = '';
  let awaits = 0;
  const flush = (): void => {
    if (bytes !== '') parts.push(...cut(Buffer.from(bytes, 'latin1'), cuts, awaits));
    bytes = '';
  };
  for (const [i, plan] of requests.entries()) {
    const isOdd = plan.isOdd === true;
    if (isOdd) {
      flush();
      awaits = i;
    }
    const isLast = i === requests.length - 1;
    const head = [
      plan.line,
      ...plan.host,
      `${NAME_FIELD}: ${name}-${i}`,
      `Content-Type: ${plan.type}`,
      ...keyFields(plan, keys),
      ...plan.fields,
      ...plan.framing.fields,
      ...(isLast ? ['Connection: close'] : []),
    ];
    bytes += `${head.join(plan.lineEnd)}${plan.lineEnd}${plan.lineEnd}${plan.framing.body}`;
    if (isOdd) {
      flush();
      // Node forgets what it has not answered when what follows cannot be read.
      if (plan.framing.behind !== '') awaits = i + 1;
      bytes += plan.framing.behind;
      flush();
    }
  }
  flush();
  return parts;
}

function keyFields({ key, carrier }: RequestPlan, keys: KeyTexts): string[] {
  switch (key) {
    case 'none':
      return [];
    case 'two':
      return [carrier + keys.good, `X-API-Key: ${keys.unknown}`];
    case 'malformed':
      return [`${carrier}a b c`];
    default:
      return [carrier + keys[key]];
  }
}

function cut(bytes: Buffer, at: readonly number[], awaits: number): Part[] {
  const inner = at.map((part) => Math.round(part * bytes.length)).filter((end) => end > 0 && end < bytes.length);
  const ends = [...new Set([...inner, bytes.length])].sort((a, b) => a - b);
  return ends.map((end, i) => ({
    bytes: bytes.subarray(i === 0 ? 0 : ends[i - 1], end),
    awaits: i === 0 ? awaits : 0,
  }));
}
