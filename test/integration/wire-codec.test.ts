import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import {
  writeData,
  writeHeaders,
  writeSettings,
  writeSettingsAck,
  writeWindowUpdate,
  type FrameOutput,
} from '../../src/plane/wire/http2/frame-writer.ts';
import {
  DEFAULT_MAX_FRAME_SIZE,
  FLAG,
  FRAME,
  FrameReader,
  headerBlockOf,
  PREFACE,
  SETTING,
} from '../../src/plane/wire/http2/frames.ts';
import { HpackDecoder, type DecodedBlock } from '../../src/plane/wire/http2/hpack/decoder.ts';
import { encodeFields, TABLE_SIZE_ZERO } from '../../src/plane/wire/http2/hpack/encoder.ts';
import { until } from '../support/wait.ts';

/** Our frames and header blocks against those of node:http2, which is nghttp2, over real sockets. */

const LIMITS = { maxHeaders: 200, maxHeaderBytes: 65_536 };

function outputTo(socket: net.Socket): FrameOutput & { flush(): void } {
  const bytes = Buffer.alloc(200_000);
  let end = 0;
  return {
    bytes,
    reserve: (size) => (end += size) - size,
    append: (chunk) => void (end += chunk.copy(bytes, end)),
    flush() {
      socket.write(Buffer.from(bytes.subarray(0, end)));
      end = 0;
    },
  };
}

interface RawPeer {
  /** Of each request or answer, in their order. */
  readonly blocks: DecodedBlock[];
  readonly bodies: Map<number, Buffer[]>;
  readonly output: FrameOutput & { flush(): void };
}

/** Reads what node:http2 sends; `answer` is called with each stream that has ended. */
function readFrom(
  socket: net.Socket,
  tableBytes: 0 | 4_096,
  answer: (streamId: number, peer: RawPeer) => void,
): RawPeer {
  const peer: RawPeer = { blocks: [], bodies: new Map(), output: outputTo(socket) };
  const decoder = new HpackDecoder(LIMITS);
  let block = Buffer.alloc(0);
  let endsStream = false;
  let isAfterPreface = false;
  const ended = (streamId: number): void => {
    answer(streamId, peer);
    peer.output.flush();
  };
  const reader = new FrameReader(
    {
      onData(streamId, piece, _flowBytes, endStream) {
        peer.bodies.set(streamId, [...(peer.bodies.get(streamId) ?? []), Buffer.from(piece)]);
        if (endStream) ended(streamId);
      },
      onFrame(type, flags, streamId, payload) {
        if (type === FRAME.SETTINGS && (flags & FLAG.ACK) !== 0 && tableBytes === 0) decoder.dropTable();
        if (type === FRAME.SETTINGS && (flags & FLAG.ACK) === 0) {
          writeSettingsAck(peer.output);
          peer.output.flush();
        }
        if (type !== FRAME.HEADERS && type !== FRAME.CONTINUATION) return;
        if (type === FRAME.HEADERS) endsStream = (flags & FLAG.END_STREAM) !== 0;
        const part = type === FRAME.HEADERS ? headerBlockOf(flags, payload) : payload;
        assert.ok(part !== undefined);
        block = Buffer.concat([block, part]);
        if ((flags & FLAG.END_HEADERS) === 0) return;
        peer.blocks.push(decoder.decode(block));
        block = Buffer.alloc(0);
        if (endsStream) ended(streamId);
      },
      onError: (code, why) => assert.fail(`${code}: ${why}`),
    },
    DEFAULT_MAX_FRAME_SIZE,
  );
  socket.on('data', (chunk: Buffer) => {
    const isClient = !isAfterPreface && chunk.subarray(0, PREFACE.length).equals(PREFACE);
    isAfterPreface = true;
    reader.read(isClient ? chunk.subarray(PREFACE.length) : chunk);
  });
  return peer;
}

async function connectClient(t: TestContext, server: net.Server): Promise<http2.ClientHttp2Session> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => {
    client.destroy();
    server.close();
  });
  return client;
}

const name = fc.stringMatching(/^x-[a-z0-9]{1,12}$/);
const value = fc.stringMatching(/^[!-~]{0,60}$/);
const someHeaders = fc.dictionary(name, value, { maxKeys: 12 });

function asObject(decoded: DecodedBlock | undefined): Record<string, string> {
  assert.ok(Array.isArray(decoded), String(decoded));
  const fields: Record<string, string> = {};
  for (let i = 0; i < decoded.length; i += 2) fields[decoded[i] ?? ''] = decoded[i + 1] ?? '';
  return fields;
}

describe('what node:http2 sends', () => {
  for (const tableBytes of [0, 4_096] as const) {
    it(`is what we read, when its table may hold ${tableBytes} bytes`, async (t) => {
      const peers: RawPeer[] = [];
      const server = net.createServer((socket) => {
        const peer = readFrom(socket, tableBytes, (streamId, { output }) => {
          writeHeaders(output, streamId, [encodeFields([':status', '204'])], true, 16_384);
        });
        peers.push(peer);
        writeSettings(peer.output, tableBytes === 0 ? [[SETTING.HEADER_TABLE_SIZE, 0]] : []);
        writeWindowUpdate(peer.output, 0, 2 ** 30);
        peer.output.flush();
      });
      const client = await connectClient(t, server);
      const sent = fc.sample(someHeaders, { numRuns: 100, seed: 7 });
      // Some names and values come again and again, as those of real clients do.
      const [again = {}] = sent;
      for (const headers of sent) {
        const stream = client.request({ ':method': 'POST', ':path': '/v1/traces', ...again, ...headers });
        stream.end('a'.repeat(Object.keys(headers).length * 1_000));
        stream.resume();
        await once(stream, 'close');
        const { blocks, bodies } = peers[0] as RawPeer;
        const received = asObject(blocks.at(-1));
        for (const [field, expected] of Object.entries({ ...again, ...headers, ':path': '/v1/traces' })) {
          assert.equal(received[field], expected);
        }
        const body = Buffer.concat(bodies.get(stream.id ?? 0) ?? []);
        assert.equal(body.length, Object.keys(headers).length * 1_000);
      }
    });
  }
});

describe('what we send', () => {
  it('is what node:http2 reads, in as many frames as it takes', async (t) => {
    const received: http2.IncomingHttpHeaders[] = [];
    const bodies: number[] = [];
    const server = http2.createServer({ settings: { maxHeaderListSize: 65_536 }, maxSessionMemory: 100 });
    server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
      received.push(headers);
      let size = 0;
      stream.on('data', (chunk: Buffer) => void (size += chunk.length));
      stream.on('end', () => {
        bodies.push(size);
        stream.respond({ ':status': 200, 'x-answer': String(size) }, { endStream: true });
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    t.after(() => {
      socket.destroy();
      server.close();
    });
    await once(socket, 'connect');

    const sent = fc.sample(someHeaders, { numRuns: 50, seed: 8 });
    const long = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x-long-${i}`, 'v'.repeat(900)]));
    const all = [...sent, long];
    let ended = 0;
    const peer = readFrom(socket, 0, () => void (ended += 1));
    socket.write(PREFACE);
    writeSettings(peer.output, [[SETTING.HEADER_TABLE_SIZE, 0]]);
    for (const [i, headers] of all.entries()) {
      const block = encodeFields(
        [
          ':method',
          'POST',
          ':scheme',
          'http',
          ':authority',
          'gateway',
          ':path',
          '/v1/traces',
          ...Object.entries(headers).flat(),
        ],
        { neverIndexed: i % 2 === 0 },
      );
      const parts = i === 0 ? [TABLE_SIZE_ZERO, block] : [block.subarray(0, 5), block.subarray(5)];
      writeHeaders(peer.output, 2 * i + 1, parts, false, 16_384);
      writeData(peer.output, 2 * i + 1, Buffer.from('b'.repeat(i)), true);
      peer.output.flush();
      await until(`answer ${i}`, () => ended > i);
    }
    assert.deepEqual(bodies, Array.from(all.keys()));
    for (const [i, headers] of all.entries()) {
      for (const [field, expected] of Object.entries(headers)) assert.equal(received[i]?.[field], expected);
      assert.equal(asObject(peer.blocks[i])['x-answer'], String(i));
    }
  });
});
