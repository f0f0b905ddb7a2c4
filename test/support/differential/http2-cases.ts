import fc from 'fast-check';
import { sequence } from './sequence.ts';

/** Requests over HTTP/2, frame by frame: what senders write, and what they should not. */

export type Field = readonly [name: string, value: string];

/** How a field is written (RFC 7541 section 6). */
export type Form = 'plain' | 'huffman' | 'never' | 'incremental' | 'incremental huffman' | 'named';

export interface StreamPlan {
  readonly protocol: 'grpc' | 'http';
  readonly key: 'good' | 'unknown' | 'mistyped' | 'none' | 'two' | 'malformed';
  /** What stands before the regular fields. */
  readonly pseudo: readonly Field[];
  readonly type: string;
  readonly fields: readonly Field[];
  readonly forms: readonly Form[];
  /** Where the block is cut into CONTINUATION frames. */
  readonly cuts: readonly number[];
  readonly headPadding: number;
  readonly hasPriority: boolean;
  readonly body: readonly BodyFrame[];
  readonly ending: 'data' | 'empty data' | 'trailers' | 'head' | 'reset' | 'none' | 'odd trailers' | 'open trailers';
  readonly length: 'none' | 'right' | 'wrong' | 'twice' | 'no number';
}

export interface BodyFrame {
  readonly bytes: number;
  readonly padding: number;
}

export interface Http2Case {
  readonly streams: readonly (StreamPlan & { readonly isOdd?: boolean })[];
  /** When our acknowledgement of the server's SETTINGS is sent: before the stream of this number. */
  readonly acknowledgedBefore: number;
  readonly between: readonly ('ping' | 'window' | 'priority' | 'unknown' | 'settings')[];
}

const of = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const mostly = <T>(clean: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, weight = 5): fc.Arbitrary<T> =>
  fc.oneof({ weight, arbitrary: clean }, { weight: 1, arbitrary: odd });

const SERVICE = '/opentelemetry.proto.collector';
const PATHS = {
  grpc: [
    `${SERVICE}.trace.v1.TraceService/Export`,
    `${SERVICE}.logs.v1.LogsService/Export`,
    `${SERVICE}.metrics.v1.MetricsService/Export`,
  ],
  http: ['/v1/traces', '/v1/logs', '/v1/metrics'],
} as const;
const pseudoOf = (path: string): Field[] => [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'gateway'],
];

const CLEAN_FIELDS: readonly Field[] = [
  ['user-agent', 'grpc-go/1.70.0'],
  ['te', 'trailers'],
  ['grpc-timeout', '5S'],
  ['grpc-timeout', '4999m'],
  ['grpc-encoding', 'gzip'],
  ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
  ['x-b3-traceid', '7'],
  ['accept', '*/*'],
  ['x-extra', 'value'],
  ['x-extra', 'other'],
  ['x-empty', ''],
  ['cookie', 'a=1'],
  ['cookie', 'b=2'],
  ['x-keygate-key-id', '1'],
  ['grpc-trace-bin', 'AAA'],
  ['x-long', 'y'.repeat(300)],
];
const ODD_FIELDS: readonly Field[] = [
  ['x-latin', '\u00e4\u00ff'],
  ['X-Upper', 'a'],
  ['bad name', 'a'],
  ['', 'a'],
  ['x:colon', 'a'],
  ['x-\u00e4', 'a'],
  ['x-nul', 'a\0b'],
  ['x-cr', 'a\rb'],
  ['x-lf', 'a\nb'],
  ['x-bell', 'a\x07'],
  ['x-del', 'a\x7f'],
  ['x-space', ' a '],
  ['traceparent', 'a\0b'],
  ['traceparent', '\u00e4'],
  ['traceparent', ''],
  ['tracestate', ' a '],
  ['x-b3-traceid', 'a\r\nx: y'],
  ['connection', 'close'],
  ['connection', 'x-extra'],
  ['keep-alive', '1'],
  ['proxy-connection', 'close'],
  ['transfer-encoding', 'chunked'],
  ['upgrade', 'h2c'],
  ['te', 'gzip'],
  ['te', 'trailers, deflate'],
  ['host', 'gateway'],
  ['host', 'other'],
  ['expect', '100-continue'],
  ['trailer', 'x-late'],
  ['http2-settings', 'AAMAAABkAAQAAP__'],
  ['x_keygate_key_id', '1'],
  ['content_length', '1'],
  ['grpc-timeout', '5'],
  ['grpc-timeout', '123456789S'],
  ['grpc-timeout', '-1S'],
  ['content-type', 'text/plain'],
  [':late', 'a'],
  [':path', '/v1/traces'],
  [':status', '200'],
];
const ODD_PSEUDOS: readonly (readonly Field[])[] = [
  [
    [':path', '/v1/traces'],
    [':authority', 'gateway'],
    [':scheme', 'http'],
    [':method', 'POST'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', '/v1/traces'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/v1/traces'],
  ],
  [
    [':method', 'POST'],
    [':path', '/v1/traces'],
    [':authority', 'gateway'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'gateway'],
  ],
  [
    [':scheme', 'http'],
    [':path', '/v1/traces'],
    [':authority', 'gateway'],
  ],
  [...pseudoOf('/v1/traces'), [':path', '/v1/logs']],
  [...pseudoOf('/v1/traces'), [':method', 'POST']],
  [...pseudoOf('/v1/traces'), [':authority', 'gateway']],
  [...pseudoOf('/v1/traces'), [':protocol', 'websocket']],
  [...pseudoOf('/v1/traces'), [':unknown', 'a']],
  pseudoOf(''),
  pseudoOf('*'),
  pseudoOf('v1/traces'),
  pseudoOf('/nowhere'),
  pseudoOf('/v1/traces?key=1'),
  pseudoOf('/v1/traces#a'),
  pseudoOf('/v1/../v1/traces'),
  pseudoOf('//v1/traces'),
  pseudoOf('http://gateway/v1/traces'),
  pseudoOf('/v1/traces HTTP/1.1'),
  pseudoOf('/v1/tra\r\nces'),
  pseudoOf('/v1/tr\u00e4ces'),
  pseudoOf(`${SERVICE}.trace.v1.TraceService/Export/`),
  pseudoOf(`${SERVICE}.trace.v1.TraceService/Nothing`),
  ...['GET', 'HEAD', 'PUT', 'OPTIONS', 'DELETE', 'post', 'FOO', 'PO ST', 'POST ', ''].map((method): Field[] => [
    [':method', method],
    ...pseudoOf('/v1/traces').slice(1),
  ]),
  [
    [':method', 'CONNECT'],
    [':authority', 'gateway:80'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'ht tp'],
    [':path', '/v1/traces'],
    [':authority', 'gateway'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/v1/traces'],
    [':authority', 'a b'],
  ],
  [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/v1/traces'],
    [':authority', 'u@gateway'],
  ],
];

const FORMS: readonly Form[] = ['plain', 'huffman', 'never', 'incremental', 'incremental huffman', 'named'];
const common = {
  forms: fc.array(of(FORMS), { minLength: 1, maxLength: 8 }),
  cuts: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  ),
  headPadding: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 255 })),
  hasPriority: fc.boolean(),
  body: fc.array(fc.record({ bytes: of([0, 1, 5, 9, 200, 5_000]), padding: of([0, 0, 0, 1, 255]) }), {
    minLength: 1,
    maxLength: 4,
  }),
};
const protocol = of(['grpc', 'http'] as const);
const TYPES = {
  grpc: ['application/grpc', 'application/grpc+proto'],
  http: ['application/x-protobuf', 'application/json'],
} as const;

const clean: fc.Arbitrary<StreamPlan> = protocol.chain((protocol) =>
  fc.record({
    ...common,
    protocol: fc.constant(protocol),
    key: mostly(fc.constant('good' as const), of(['unknown', 'mistyped', 'none', 'malformed'] as const), 4),
    pseudo: of(PATHS[protocol]).map(pseudoOf),
    type: of(TYPES[protocol]),
    fields: fc.uniqueArray(of(CLEAN_FIELDS), {
      maxLength: 6,
      selector: ([name]) => (name === 'grpc-timeout' ? name : {}),
    }),
    ending: of(['data', 'empty data', 'trailers'] as const),
    length: mostly(fc.constant('none' as const), fc.constant('right' as const), 2),
  }),
);
const odd: fc.Arbitrary<StreamPlan> = protocol.chain((protocol) =>
  fc.record({
    ...common,
    protocol: fc.constant(protocol),
    key: mostly(fc.constant('good' as const), of(['none', 'two', 'unknown'] as const)),
    pseudo: mostly(of(PATHS[protocol]).map(pseudoOf), of(ODD_PSEUDOS), 1),
    type: mostly(
      of(TYPES[protocol]),
      of(['text/plain', 'application/grpcx', 'application/grpc-web', 'Application/gRPC']),
    ),
    fields: fc.array(mostly(of(CLEAN_FIELDS), of(ODD_FIELDS), 1), { maxLength: 4 }),
    ending: mostly(
      of(['data', 'empty data', 'trailers'] as const),
      of(['head', 'reset', 'none', 'odd trailers', 'open trailers'] as const),
      2,
    ),
    length: mostly(of(['none', 'right'] as const), of(['wrong', 'twice', 'no number'] as const), 3),
  }),
);

export const http2Case: fc.Arbitrary<Http2Case> = fc.record({
  streams: sequence(clean, odd),
  acknowledgedBefore: fc.integer({ min: 0, max: 5 }),
  between: fc.array(of(['ping', 'window', 'priority', 'unknown', 'settings'] as const), { maxLength: 3 }),
});
