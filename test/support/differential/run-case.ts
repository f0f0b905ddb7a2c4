import { HpackDecoder } from '../../../src/plane/wire/http2/hpack/decoder.ts';
import { END_HEADERS, END_STREAM, FRAME } from '../h2-frames.ts';
import { RawExchange } from './exchange.ts';
import type { Part } from './exchange.ts';
import { reasonIn } from './outcome.ts';
import type { Answer } from './outcome.ts';

/** Sends what one case consists of to one server, and reads what it answers. */

const NOTHING: Answer = {
  status: undefined,
  grpcStatus: undefined,
  reason: undefined,
  hasTrailers: false,
  fault: undefined,
};

export async function runHttp1(
  port: number,
  parts: readonly Part[],
  requests: number,
  quietMs: number,
): Promise<Answer[]> {
  return run(port, parts, requests, quietMs, (received) => {
    const answers = readHttp1(received);
    return { answers, done: answers.length };
  });
}

function readHttp1(received: Buffer): Answer[] {
  const text = received.toString('latin1');
  const starts = Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) /g));
  const answers = starts.map(({ index, 1: status }, i) => ({
    ...NOTHING,
    status: Number(status),
    reason: reasonIn(text.slice(index, starts[i + 1]?.index ?? text.length)),
  }));
  return answers.filter(({ status }) => status >= 200);
}

export async function runHttp2(
  port: number,
  parts: readonly Part[],
  streams: number,
  quietMs: number,
): Promise<Answer[]> {
  return run(port, parts, streams, quietMs, (received) => readHttp2(received, streams));
}

/** Reads all that came from its beginning, each time anew: it is little. */
function readHttp2(received: Buffer, streams: number): Reading {
  const decoder = new HpackDecoder({ maxHeaders: 1_000, maxHeaderBytes: 1 << 20 });
  const answers = Array.from({ length: streams }, () => ({ ...NOTHING, body: '', ended: false }));
  let fault: string | undefined;
  let block: Buffer = Buffer.alloc(0);
  for (let at = 0; at + 9 <= received.length;) {
    const end = at + 9 + received.readUIntBE(at, 3);
    if (end > received.length) break;
    const [type, flags, id] = [received.readUInt8(at + 3), received.readUInt8(at + 4), received.readUInt32BE(at + 5)];
    const payload = received.subarray(at + 9, end);
    at = end;
    const i = (id - 1) / 2;
    const answer = answers[i];
    if (type === FRAME.GOAWAY && payload.readUInt32BE(4) !== 0) fault = `goaway ${payload.readUInt32BE(4)}`;
    if (answer === undefined) continue;
    if (type === FRAME.DATA) answer.body += payload.toString('latin1');
    if (type === FRAME.RST_STREAM && !answer.ended)
      Object.assign(answer, { fault: `reset ${payload.readUInt32BE(0)}`, ended: true });
    if (type === FRAME.HEADERS || type === FRAME.CONTINUATION) {
      block = Buffer.concat([block, payload]);
      if ((flags & END_HEADERS) !== 0) {
        Object.assign(answer, readFields(answer, decoder.decode(block)));
        block = Buffer.alloc(0);
      }
    }
    if ((type === FRAME.DATA || type === FRAME.HEADERS) && (flags & END_STREAM) !== 0) answer.ended = true;
  }
  return {
    done: fault === undefined ? answers.filter(({ ended }) => ended).length : Infinity,
    answers: answers.map(({ body, ended, ...answer }) => ({
      ...answer,
      reason: answer.reason ?? reasonIn(body),
      fault: answer.fault ?? (ended ? undefined : fault),
    })),
  };
}

function readFields(answer: Answer, fields: readonly string[] | string): Answer {
  if (typeof fields === 'string') throw new Error(`the server's header block: ${fields}`);
  const value = (name: string): string | undefined => {
    const at = fields.findIndex((text, i) => i % 2 === 0 && text === name);
    return at === -1 ? undefined : fields[at + 1];
  };
  const status = value(':status');
  if (status === undefined)
    return { ...answer, hasTrailers: true, grpcStatus: value('grpc-status'), reason: reasonIn(detailsOf(value)) };
  if (Number(status) < 200) return answer;
  return { ...answer, status: Number(status), grpcStatus: value('grpc-status'), reason: reasonIn(detailsOf(value)) };
}

function detailsOf(value: (name: string) => string | undefined): string {
  return Buffer.from(value('grpc-status-details-bin') ?? '', 'base64').toString('latin1');
}

interface Reading {
  readonly answers: Answer[];
  /** How many are complete. */
  readonly done: number;
}

async function run(
  port: number,
  parts: readonly Part[],
  requests: number,
  quietMs: number,
  read: (received: Buffer) => Reading,
): Promise<Answer[]> {
  const exchange = new RawExchange(port);
  for (const { bytes, awaits } of parts) {
    if (awaits > 0) await exchange.settle(() => read(exchange.received).done >= awaits, quietMs);
    await exchange.send(bytes);
  }
  await exchange.settle(() => read(exchange.received).done >= requests, quietMs);
  const { answers } = read(exchange.received);
  exchange.destroy();
  return answers.map((answer) =>
    answer.status === undefined && answer.fault === undefined
      ? { ...answer, fault: exchange.isClosed ? 'closed' : 'silence' }
      : answer,
  );
}
