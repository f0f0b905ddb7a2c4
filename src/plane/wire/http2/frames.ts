/** HTTP/2 frames as they come in (RFC 9113 section 4 and 6): cut out of the bytes, and checked as far as one frame alone can be. */

export const FRAME = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

export const FLAG = { ACK: 0x1, END_STREAM: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

export const ERROR = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;
export type ErrorCode = (typeof ERROR)[keyof typeof ERROR];

export const SETTING = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** What a client's connection begins with (RFC 9113 section 3.4). */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const FRAME_HEAD_BYTES = 9;
/** What holds until SETTINGS say otherwise (RFC 9113 section 6.5.2). */
export const DEFAULT_MAX_FRAME_SIZE = 16_384;
export const LARGEST_MAX_FRAME_SIZE = 16_777_215;
export const DEFAULT_WINDOW = 65_535;
export const LARGEST_WINDOW = 2_147_483_647;

/** Hears of the frames in their order. Bytes are valid only until it returns. */
export interface FrameSink {
  /**
   * A piece of a DATA frame, as soon as it is here; padding is not among its bytes, but counts for flow control. A frame
   * without data is one empty piece; padding that comes late is an empty piece of its own.
   */
  onData(streamId: number, piece: Buffer, flowBytes: number, endStream: boolean): void;
  /** Any other frame, whole; also those of unknown types. */
  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void;
  /** An error of the connection; nothing is read after it. */
  onError(code: ErrorCode, why: string): void;
}

/** The part of a HEADERS frame that is header block; undefined if its padding is longer than it (RFC 9113 section 6.2). */
export function headerBlockOf(flags: number, payload: Buffer): Buffer | undefined {
  if ((flags & (FLAG.PADDED | FLAG.PRIORITY)) === 0) return payload;
  const isPadded = (flags & FLAG.PADDED) !== 0;
  const start = (isPadded ? 1 : 0) + ((flags & FLAG.PRIORITY) !== 0 ? 5 : 0);
  const end = payload.length - (isPadded ? (payload[0] as number) : 0);
  return end < start ? undefined : payload.subarray(start, end);
}

interface Fault {
  readonly code: ErrorCode;
  readonly why: string;
}

const ON_STREAM_ZERO: Fault = { code: ERROR.PROTOCOL_ERROR, why: 'a frame of a stream on stream 0' };
const ON_STREAM: Fault = { code: ERROR.PROTOCOL_ERROR, why: 'a frame of the connection on a stream' };
const WRONG_LENGTH: Fault = { code: ERROR.FRAME_SIZE_ERROR, why: 'a frame whose length is not that of its type' };
const OVER_LONG: Fault = { code: ERROR.FRAME_SIZE_ERROR, why: 'a frame longer than allowed' };
const PUSHED: Fault = { code: ERROR.PROTOCOL_ERROR, why: 'PUSH_PROMISE, which no side may send' };
const OVER_PADDED: Fault = { code: ERROR.PROTOCOL_ERROR, why: 'padding longer than its frame' };

/**
 * The rules of RFC 9113 sections 4.2 and 6.1 to 6.10 that a frame's head can break, before a byte of it is kept. A wrong
 * length of PRIORITY is only an error of its stream there; who sends one is not worth telling the difference.
 */
function faultOfHead(type: number, flags: number, streamId: number, length: number): Fault | undefined {
  switch (type) {
    case FRAME.DATA:
      if (streamId === 0) return ON_STREAM_ZERO;
      return (flags & FLAG.PADDED) !== 0 && length === 0 ? WRONG_LENGTH : undefined;
    case FRAME.HEADERS:
      if (streamId === 0) return ON_STREAM_ZERO;
      return length < ((flags & FLAG.PADDED) !== 0 ? 1 : 0) + ((flags & FLAG.PRIORITY) !== 0 ? 5 : 0)
        ? WRONG_LENGTH
        : undefined;
    case FRAME.CONTINUATION:
      return streamId === 0 ? ON_STREAM_ZERO : undefined;
    case FRAME.PRIORITY:
      if (streamId === 0) return ON_STREAM_ZERO;
      return length === 5 ? undefined : WRONG_LENGTH;
    case FRAME.RST_STREAM:
      if (streamId === 0) return ON_STREAM_ZERO;
      return length === 4 ? undefined : WRONG_LENGTH;
    case FRAME.WINDOW_UPDATE:
      return length === 4 ? undefined : WRONG_LENGTH;
    case FRAME.SETTINGS:
      if (streamId !== 0) return ON_STREAM;
      return length % 6 === 0 && (length === 0 || (flags & FLAG.ACK) === 0) ? undefined : WRONG_LENGTH;
    case FRAME.PING:
      if (streamId !== 0) return ON_STREAM;
      return length === 8 ? undefined : WRONG_LENGTH;
    case FRAME.GOAWAY:
      if (streamId !== 0) return ON_STREAM;
      return length >= 8 ? undefined : WRONG_LENGTH;
    case FRAME.PUSH_PROMISE:
      return PUSHED;
    default:
      return undefined;
  }
}

const EMPTY = Buffer.alloc(0);
/** So often it is looked whether time is up. */
const STEPS_PER_LOOK = 8;
const SMALLEST_COPY = 64;
/** A connection that is quiet between its frames holds no more than this. */
const LARGEST_COPY_TO_REUSE = 1_024;

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameSize: number;
  #isStopped = false;

  /** The beginning of a frame whose end is not here yet: at most maxFrameSize + 9 bytes. */
  #kept: Buffer = EMPTY;
  #keptBytes = 0;

  /** The DATA frame that is being told, as long as any of it is left. */
  #isPadLengthDue = false;
  #dataStreamId = 0;
  #dataEndsStream = false;
  #dataLeft = 0;
  #padLeft = 0;
  /** The length of the padding counts for flow control as well, together with what follows it. */
  #untoldFlowBytes = 0;

  constructor(sink: FrameSink, maxFrameSize: number) {
    this.#sink = sink;
    this.#maxFrameSize = maxFrameSize;
  }

  /** Reads nothing any more, not even the rest of what it has; may be called from within the sink. */
  stop(): void {
    this.#isStopped = true;
    this.#kept = EMPTY;
    this.#keptBytes = 0;
  }

  /** Says how far it came: not to the end if it was stopped, or time was up. */
  read(chunk: Buffer, untilMs = Infinity): number {
    let at = 0;
    let steps = 0;
    while (at < chunk.length && !this.#isStopped) {
      if (this.#dataLeft > 0 || this.#padLeft > 0) at = this.#readData(chunk, at);
      else if (this.#keptBytes > 0) at = this.#readKept(chunk, at);
      else at = this.#readFrame(chunk, at);
      steps += 1;
      if (steps % STEPS_PER_LOOK === 0 && performance.now() >= untilMs) break;
    }
    return at;
  }

  /** One frame that begins here; says where it ends, or the end of the chunk if only its beginning is here. */
  #readFrame(chunk: Buffer, at: number): number {
    if (chunk.length - at < FRAME_HEAD_BYTES) return this.#keep(chunk, at, FRAME_HEAD_BYTES);
    const size = this.#sizeOf(chunk, at);
    if (size === 0) return at;
    if (chunk[at + 3] === FRAME.DATA) {
      this.#beginData(chunk, at, size);
      return at + FRAME_HEAD_BYTES;
    }
    if (at + size > chunk.length) return this.#keep(chunk, at, size);
    this.#tell(chunk, at, size);
    return at + size;
  }

  /** Goes on with a frame whose beginning was kept. */
  #readKept(chunk: Buffer, start: number): number {
    let at = start;
    if (this.#keptBytes < FRAME_HEAD_BYTES) {
      at = this.#keep(chunk, at, FRAME_HEAD_BYTES);
      if (this.#keptBytes < FRAME_HEAD_BYTES) return at;
    }
    const kept = this.#kept;
    const size = this.#sizeOf(kept, 0);
    if (size === 0) return at;
    if (kept[3] === FRAME.DATA) {
      this.#keptBytes = 0;
      this.#beginData(kept, 0, size);
      return at;
    }
    at = this.#keep(chunk, at, size);
    if (this.#keptBytes < size) return at;
    const whole = this.#kept;
    this.#keptBytes = 0;
    if (size > LARGEST_COPY_TO_REUSE) this.#kept = EMPTY;
    this.#tell(whole, 0, size);
    return at;
  }

  /** How long the frame is that begins here, head included; 0 if it is an error, which then has been told. */
  #sizeOf(bytes: Buffer, at: number): number {
    const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    const type = bytes[at + 3] as number;
    const flags = bytes[at + 4] as number;
    const fault = length > this.#maxFrameSize ? OVER_LONG : faultOfHead(type, flags, streamIdOf(bytes, at), length);
    if (fault === undefined) return FRAME_HEAD_BYTES + length;
    this.#fail(fault);
    return 0;
  }

  #tell(bytes: Buffer, at: number, size: number): void {
    const payload = size === FRAME_HEAD_BYTES ? EMPTY : bytes.subarray(at + FRAME_HEAD_BYTES, at + size);
    this.#sink.onFrame(bytes[at + 3] as number, bytes[at + 4] as number, streamIdOf(bytes, at), payload);
  }

  #beginData(bytes: Buffer, at: number, size: number): void {
    const flags = bytes[at + 4] as number;
    this.#dataStreamId = streamIdOf(bytes, at);
    this.#dataEndsStream = (flags & FLAG.END_STREAM) !== 0;
    this.#isPadLengthDue = (flags & FLAG.PADDED) !== 0;
    this.#dataLeft = size - FRAME_HEAD_BYTES;
    if (this.#dataLeft === 0) this.#sink.onData(this.#dataStreamId, EMPTY, 0, this.#dataEndsStream);
  }

  #readData(chunk: Buffer, start: number): number {
    let at = start;
    if (this.#isPadLengthDue) {
      this.#isPadLengthDue = false;
      this.#padLeft = chunk[at] as number;
      this.#dataLeft -= 1 + this.#padLeft;
      this.#untoldFlowBytes = 1;
      at += 1;
      if (this.#dataLeft < 0) {
        this.#fail(OVER_PADDED);
        return at;
      }
      const isAll = this.#dataLeft === 0 && this.#padLeft === 0;
      if (at === chunk.length && !isAll) return at;
    }
    const end = Math.min(at + this.#dataLeft, chunk.length);
    this.#dataLeft -= end - at;
    // Padding can only be here if all of the data is: it begins where that ends.
    const padHere = this.#dataLeft === 0 ? Math.min(this.#padLeft, chunk.length - end) : 0;
    this.#padLeft -= padHere;
    const flowBytes = end - at + padHere + this.#untoldFlowBytes;
    this.#untoldFlowBytes = 0;
    const isLast = this.#dataLeft === 0 && this.#padLeft === 0;
    const piece = at === end ? EMPTY : chunk.subarray(at, end);
    this.#sink.onData(this.#dataStreamId, piece, flowBytes, isLast && this.#dataEndsStream);
    return end + padHere;
  }

  /** Copies what is here of a frame of this size. The copy grows with what has come, never with what is only claimed. */
  #keep(chunk: Buffer, at: number, size: number): number {
    const take = Math.min(size - this.#keptBytes, chunk.length - at);
    const needed = this.#keptBytes + take;
    if (needed > this.#kept.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.min(Math.max(size, SMALLEST_COPY), Math.max(2 * needed, SMALLEST_COPY)),
      );
      larger.set(this.#kept.subarray(0, this.#keptBytes));
      this.#kept = larger;
    }
    this.#kept.set(chunk.subarray(at, at + take), this.#keptBytes);
    this.#keptBytes = needed;
    return at + take;
  }

  #fail(fault: Fault): void {
    this.stop();
    this.#sink.onError(fault.code, fault.why);
  }
}

/** The reserved bit is ignored (RFC 9113 section 4.1). */
function streamIdOf(bytes: Buffer, at: number): number {
  return (
    (((bytes[at + 5] as number) & 0x7f) << 24) |
    ((bytes[at + 6] as number) << 16) |
    ((bytes[at + 7] as number) << 8) |
    (bytes[at + 8] as number)
  );
}
