import type { AnswerBlock } from './answer-reader.ts';
import { AnswerReader, MAX_ANSWER_BLOCK_BYTES } from './answer-reader.ts';
import { DEFAULT_MAX_FRAME_SIZE, ERROR, FLAG, FRAME, FrameReader, LARGEST_WINDOW } from './frames.ts';
import type { ErrorCode, FrameSink } from './frames.ts';
import { HeaderBlocks } from './header-blocks.ts';
import { readSettings } from './settings.ts';
import type { PeerSettings } from './settings.ts';

/** What the collector's frames say. */
export interface AnswerSink {
  settingsCame(settings: PeerSettings): void;
  answerCame(streamId: number, block: AnswerBlock | 'malformed', ends: boolean): void;
  dataCame(streamId: number, piece: Buffer, flowBytes: number, ends: boolean): void;
  resetCame(streamId: number, code: number): void;
  /** On stream 0 the window of the connection. */
  windowGrew(streamId: number, bytes: number): void;
  pingCame(payload: Buffer): void;
  goawayCame(lastStreamId: number): void;
  /** The connection has to end. */
  broke(code: ErrorCode, why: string): void;
}

const HIGHEST_STREAM_ID = 0x7fff_ffff;
/** Frames that serve no call: so many together, and so many more each second. A collector that sends more is broken. */
const MAX_USELESS_FRAMES = 10_000;
const USELESS_FRAMES_PER_SECOND = 1_000;

/** Reads a collector's side of a connection, up to what is an error of it whatever its streams are (RFC 9113 section 6). */
export class AnswerFrames implements FrameSink {
  readonly #sink: AnswerSink;
  readonly #frames = new FrameReader(this, DEFAULT_MAX_FRAME_SIZE);
  readonly #blocks = new HeaderBlocks(MAX_ANSWER_BLOCK_BYTES);
  readonly #answers = new AnswerReader();
  #hasBegun = false;
  #uselessFrames = 0;
  #checkedAtMs: number;

  constructor(sink: AnswerSink, nowMs: number) {
    this.#sink = sink;
    this.#checkedAtMs = nowMs;
  }

  /** Looked at a few times a second. */
  check(nowMs: number): void {
    const forgiven = ((nowMs - this.#checkedAtMs) * USELESS_FRAMES_PER_SECOND) / 1_000;
    this.#uselessFrames = Math.max(0, this.#uselessFrames - forgiven);
    this.#checkedAtMs = nowMs;
  }

  /** A frame has come that nobody waits for. */
  servesNobody(): void {
    this.#uselessFrames += 1;
    if (this.#uselessFrames > MAX_USELESS_FRAMES)
      this.#sink.broke(ERROR.ENHANCE_YOUR_CALM, 'frames that serve no call');
  }

  read(chunk: Buffer): void {
    this.#frames.read(chunk);
  }

  stop(): void {
    this.#frames.stop();
  }

  onError(code: ErrorCode, why: string): void {
    this.#sink.broke(code, why);
  }

  onData(streamId: number, piece: Buffer, flowBytes: number, ends: boolean): void {
    if (!this.#mayBeNext(FRAME.DATA, 0, streamId)) return;
    if (piece.length === 0 && !ends) this.servesNobody();
    this.#sink.dataCame(streamId, piece, flowBytes, ends);
  }

  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (!this.#mayBeNext(type, flags, streamId)) return;
    const sink = this.#sink;
    const isAck = (flags & FLAG.ACK) !== 0;
    switch (type) {
      case FRAME.HEADERS:
        return this.#onBlock(streamId, this.#blocks.begin(flags, streamId, payload));
      case FRAME.CONTINUATION:
        return this.#onBlock(streamId, this.#blocks.continue(flags, payload));
      case FRAME.RST_STREAM:
        return sink.resetCame(streamId, payload.readUInt32BE(0));
      case FRAME.WINDOW_UPDATE:
        return sink.windowGrew(streamId, payload.readUInt32BE(0) & LARGEST_WINDOW);
      case FRAME.GOAWAY:
        this.servesNobody();
        return sink.goawayCame(payload.readUInt32BE(0) & HIGHEST_STREAM_ID);
      case FRAME.PING:
        return isAck ? undefined : sink.pingCame(payload);
      case FRAME.SETTINGS:
        return isAck ? this.#answers.settingsAcknowledged() : this.#onSettings(payload);
      default:
        this.servesNobody(); // PRIORITY, and what nobody knows (RFC 9113 section 5.5)
    }
  }

  /** A connection begins with SETTINGS (RFC 9113 section 3.4); nothing comes between the frames of a block (section 6.10). */
  #mayBeNext(type: number, flags: number, streamId: number): boolean {
    const isContinuation = type === FRAME.CONTINUATION;
    const isInOrder = this.#hasBegun
      ? isContinuation === (this.#blocks.streamId !== 0) && (!isContinuation || streamId === this.#blocks.streamId)
      : type === FRAME.SETTINGS && (flags & FLAG.ACK) === 0;
    this.#hasBegun = true;
    if (!isInOrder) this.#sink.broke(ERROR.PROTOCOL_ERROR, 'a frame that cannot be next');
    return isInOrder;
  }

  #onBlock(streamId: number, block: ReturnType<HeaderBlocks['begin']>): void {
    if (block === 'unfinished') return;
    if (block === 'malformed') return this.#sink.broke(ERROR.PROTOCOL_ERROR, 'padding longer than its frame');
    if (block === 'too_long') return this.#sink.broke(ERROR.ENHANCE_YOUR_CALM, 'a header block too large');
    const answer = this.#answers.read(block);
    if (answer === 'compression_error') this.#sink.broke(ERROR.COMPRESSION_ERROR, 'a header block that means nothing');
    else this.#sink.answerCame(streamId, answer, this.#blocks.endsStream);
  }

  #onSettings(payload: Buffer): void {
    this.servesNobody();
    const settings = readSettings(payload);
    if (typeof settings === 'number') this.#sink.broke(settings, 'SETTINGS that cannot be');
    else this.#sink.settingsCame(settings);
  }
}
