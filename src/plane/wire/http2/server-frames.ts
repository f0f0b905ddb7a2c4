import { costOf } from '../budgets.ts';
import type { CountedBudget } from '../budgets.ts';
import { writePing, writeRstStream, writeSettingsAck, writeWindowUpdate } from './frame-writer.ts';
import { ERROR, FLAG, FRAME, LARGEST_WINDOW } from './frames.ts';
import type { ErrorCode, FrameSink } from './frames.ts';
import { HeaderBlocks } from './header-blocks.ts';
import { answerToPreflight } from './preflight.ts';
import { RequestReader } from './request-reader.ts';
import { ServerStream } from './server-stream.ts';
import type { StreamCarrier } from './server-stream.ts';
import { StreamIds } from './stream-ids.ts';
import { StreamTable } from './stream-table.ts';
import { applySettings } from './settings.ts';
import { connectionWindowBytes, ReceiveWindow } from './windows.ts';

/** What of a connection its frames move. */
export interface ConnectionLife extends StreamCarrier {
  /** Ends the connection, and says why. */
  fail(code: ErrorCode, why: string): void;
  /** False if that was one too many: the connection is over. */
  spend(budget: CountedBudget, cost?: number): boolean;
  forgive(budget: CountedBudget): void;
  /** The other side has said what is due at the beginning. */
  settled(what: 'settings' | 'acknowledgement'): void;
  /** The other side answers our ping. */
  ponged(): void;
  /** The other side takes its leave. */
  peerLeaves(): void;
}

/** A block may be this many times larger than what it may say: beyond it, its sender is not worth an answer. */
const MAX_BLOCK_FACTOR = 4;

/**
 * What the frames of a sender mean (RFC 9113 sections 5 and 6): its streams and their states, the rules that frames break
 * together, and what each breach costs its sender.
 */
export class ServerFrames implements FrameSink {
  readonly #life: ConnectionLife;
  readonly #streams = new StreamTable<ServerStream>();
  readonly #window: ReceiveWindow;
  readonly #blocks: HeaderBlocks;
  readonly #requests: RequestReader;
  readonly #ids: StreamIds;
  #sawSettings = false;
  #isAcknowledged = false;
  #takesMore = true;
  #wasActive = false;
  #unfinishedSinceMs = 0;

  constructor(life: ConnectionLife, peer: string) {
    const { limits } = life.context;
    this.#life = life;
    this.#ids = new StreamIds(limits.maxStreams);
    this.#window = new ReceiveWindow(connectionWindowBytes(limits.maxStreams));
    this.#blocks = new HeaderBlocks(MAX_BLOCK_FACTOR * limits.maxHeaderBytes);
    this.#requests = new RequestReader(life.context, peer);
  }

  get lastStreamId(): number {
    return this.#ids.last;
  }

  get openStreams(): number {
    return this.#streams.size;
  }

  /** The last stream that will be served. */
  takeNoMore(): number {
    this.#takesMore = false;
    return this.lastStreamId;
  }

  /** Whether there is, or lately was, a stream. */
  checkStreams(nowMs: number): boolean {
    const wasActive = this.#wasActive || this.#streams.size > 0;
    this.#wasActive = false;
    for (const stream of this.#streams.values()) stream.checkStream(nowMs);
    return wasActive;
  }

  /** Since when a header block waits for its end, as far as was looked; infinite if none does. */
  unfinishedSince(nowMs: number): number {
    if (this.#blocks.streamId === 0) this.#unfinishedSinceMs = 0;
    else if (this.#unfinishedSinceMs === 0) this.#unfinishedSinceMs = nowMs;
    return this.#unfinishedSinceMs === 0 ? Infinity : this.#unfinishedSinceMs;
  }

  leaveAll(): void {
    for (const stream of this.#streams.values()) stream.leave();
    this.#streams.clear();
  }

  forget({ streamId }: ServerStream, wasReset: boolean): void {
    this.#streams.delete(streamId);
    if (wasReset) this.#ids.rememberReset(streamId);
  }

  onError(code: ErrorCode, why: string): void {
    this.#life.fail(code, why);
  }

  onData(streamId: number, piece: Buffer, flowBytes: number, endStream: boolean): void {
    if (this.#blocks.streamId !== 0 || !this.#sawSettings) return this.#outOfPlace();
    const life = this.#life;
    if (!this.#window.take(flowBytes)) return life.fail(ERROR.FLOW_CONTROL_ERROR, 'more than the window');
    const increment = this.#window.give(flowBytes);
    if (increment > 0) writeWindowUpdate(life.sending.out, 0, increment);
    if (piece.length === 0 && !endStream && !life.spend('empty_frames')) return;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return this.#afterwards(streamId, ERROR.STREAM_CLOSED);
    const fault = stream.receive(piece, flowBytes, endStream);
    if (fault !== undefined) this.#resetFaulty(stream, fault);
  }

  onFrame(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (!this.#sawSettings && (type !== FRAME.SETTINGS || (flags & FLAG.ACK) !== 0)) return this.#outOfPlace();
    if (this.#blocks.streamId !== 0 && (type !== FRAME.CONTINUATION || streamId !== this.#blocks.streamId)) {
      return this.#outOfPlace();
    }
    switch (type) {
      case FRAME.HEADERS:
        return this.#onHeaders(flags, streamId, payload);
      case FRAME.CONTINUATION:
        return this.#onContinuation(flags, streamId, payload);
      case FRAME.WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, payload.readUInt32BE(0) & LARGEST_WINDOW);
      case FRAME.RST_STREAM:
        return this.#onReset(streamId, payload.readUInt32BE(0));
      case FRAME.SETTINGS:
        return this.#onSettings(flags, payload);
      case FRAME.PING:
        return this.#onPing(flags, payload);
      case FRAME.GOAWAY:
        if (this.#life.spend('empty_frames')) this.#life.peerLeaves();
        return;
      default: // PRIORITY, which means nothing any more (RFC 9113 section 5.3.2), and types that nobody knows
        this.#life.spend('empty_frames');
    }
  }

  #outOfPlace(): void {
    this.#life.fail(ERROR.PROTOCOL_ERROR, 'a frame out of place');
  }

  #onHeaders(flags: number, streamId: number, payload: Buffer): void {
    if ((streamId & 1) === 0) return this.#life.fail(ERROR.PROTOCOL_ERROR, 'a stream that is not for clients');
    if (this.#ids.wasPassedOver(streamId))
      return this.#life.fail(ERROR.PROTOCOL_ERROR, 'a stream that was passed over');
    const block = this.#blocks.begin(flags, streamId, payload);
    if (block === 'malformed') return this.#life.fail(ERROR.PROTOCOL_ERROR, 'padding longer than its frame');
    this.#onBlockPart(streamId, block);
  }

  #onContinuation(flags: number, streamId: number, payload: Buffer): void {
    if (this.#blocks.streamId === 0) return this.#outOfPlace();
    if (payload.length === 0 && !this.#life.spend('empty_frames')) return;
    this.#onBlockPart(streamId, this.#blocks.continue(flags, payload));
  }

  #onBlockPart(streamId: number, block: Buffer | 'unfinished' | 'too_long'): void {
    if (block === 'too_long') this.#life.fail(ERROR.ENHANCE_YOUR_CALM, 'a header block without end');
    else if (block !== 'unfinished') this.#onBlock(streamId, block, this.#blocks.endsStream);
  }

  #onBlock(streamId: number, block: Buffer, endsStream: boolean): void {
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return this.#onTrailers(stream, block, endsStream);
    if (this.#ids.isIdle(streamId)) return this.#onRequest(streamId, block, endsStream);
    if (!this.#ids.wasReset(streamId)) return this.#life.fail(ERROR.STREAM_CLOSED, 'a head on a stream that is over');
    if (this.#life.spend('empty_frames', costOf(block.length))) this.#readFor(block);
  }

  #onRequest(streamId: number, block: Buffer, endsStream: boolean): void {
    const life = this.#life;
    const request = this.#requests.read(block, endsStream);
    if (request === 'compression_error') return life.fail(ERROR.COMPRESSION_ERROR, 'a header block that is none');
    this.#wasActive = true;
    if (!this.#takesMore) return this.#refuseStream(streamId, ERROR.REFUSED_STREAM, 'empty_frames', block.length);
    this.#ids.begin(streamId);
    if (request === 'malformed') return this.#refuseStream(streamId, ERROR.PROTOCOL_ERROR, 'errors');
    if (this.#streams.size >= life.context.limits.maxStreams) {
      // Whoever has not heard of the limit yet has done nothing wrong.
      const budget = this.#isAcknowledged ? 'errors' : 'empty_frames';
      return this.#refuseStream(streamId, ERROR.REFUSED_STREAM, budget, block.length);
    }
    const { head, start } = request;
    if (head.objection === 'header_limits' && !life.spend('large_heads')) return;
    const permission = answerToPreflight(head, life.context.cors);
    if (permission !== undefined) return this.#answerAtOnce(streamId, permission, endsStream);
    life.forgive('empty_frames');
    const stream = new ServerStream(life, streamId, head);
    this.#streams.set(streamId, stream);
    stream.start(start, endsStream);
  }

  /** It needs no stream: whatever still comes on it is ignored. */
  #answerAtOnce(streamId: number, block: Buffer, endsStream: boolean): void {
    const { sending } = this.#life;
    sending.headers(streamId, [block], true);
    if (endsStream) return;
    this.#ids.rememberReset(streamId);
    writeRstStream(sending.out, streamId, ERROR.NO_ERROR);
  }

  #onTrailers(stream: ServerStream, block: Buffer, endsStream: boolean): void {
    const read = this.#readFor(block);
    if (read === 'compression_error') return;
    const isFine = read === 'fine' && endsStream;
    // What it says is of no interest behind the end: RFC 9113 section 5.1.
    const fault = isFine || stream.requestEnded ? stream.receiveTrailers() : ERROR.PROTOCOL_ERROR;
    if (fault !== undefined) this.#resetFaulty(stream, fault);
  }

  /** Reads a block that says nothing of interest; but what is read next depends on it, and its rules are the same. */
  #readFor(block: Buffer): ReturnType<RequestReader['readTrailers']> {
    const read = this.#requests.readTrailers(block);
    if (read === 'compression_error') this.#life.fail(ERROR.COMPRESSION_ERROR, 'a header block that is none');
    return read;
  }

  #onWindowUpdate(streamId: number, increment: number): void {
    const life = this.#life;
    const { sending } = life;
    if (sending.updatesDue > 0) sending.updatesDue -= 1;
    else if (!life.spend('empty_frames')) return;
    if (streamId === 0) {
      sending.window += increment;
      if (increment === 0) return life.fail(ERROR.PROTOCOL_ERROR, 'an update of nothing');
      if (sending.window > LARGEST_WINDOW) return life.fail(ERROR.FLOW_CONTROL_ERROR, 'a window beyond its limit');
    } else {
      const stream = this.#streams.get(streamId);
      if (stream === undefined) return this.#afterwards(streamId, undefined);
      if (increment === 0) return this.#resetFaulty(stream, ERROR.PROTOCOL_ERROR);
      if (!stream.widen(increment)) return this.#resetFaulty(stream, ERROR.FLOW_CONTROL_ERROR);
    }
    sending.pump();
  }

  #onReset(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (this.#life.spend('empty_frames')) this.#afterwards(streamId, undefined);
      return;
    }
    const isEarly = stream.isGivenUpEarly(code);
    this.#streams.delete(streamId);
    stream.leave();
    if (isEarly) this.#life.spend('resets');
    this.#life.isOver(stream);
  }

  #onSettings(flags: number, payload: Buffer): void {
    const life = this.#life;
    if (!life.spend('settings')) return;
    if ((flags & FLAG.ACK) !== 0) {
      if (!this.#isAcknowledged) this.#requests.settingsHold();
      this.#isAcknowledged = true;
      return life.settled('acknowledgement');
    }
    this.#sawSettings = true;
    life.settled('settings');
    const { sending } = life;
    const fault = applySettings(payload, sending, this.#streams.values());
    if (fault !== undefined) return life.fail(fault, 'settings that cannot be');
    writeSettingsAck(sending.out);
    sending.pump();
  }

  #onPing(flags: number, payload: Buffer): void {
    const { sending } = this.#life;
    const isAnswer = (flags & FLAG.ACK) !== 0;
    if (sending.pingsDue > 0 && !isAnswer) sending.pingsDue -= 1;
    else if (!this.#life.spend('pings')) return;
    if (isAnswer) this.#life.ponged();
    else writePing(sending.out, payload, true);
  }

  /** A frame of a stream that is not there: none yet, which is an error, or none any more, which may be. */
  #afterwards(streamId: number, code: ErrorCode | undefined): void {
    const isIdle = this.#ids.isIdle(streamId);
    if (isIdle && this.#takesMore)
      return this.#life.fail(ERROR.PROTOCOL_ERROR, 'a frame of a stream that was not begun');
    if (code === undefined || isIdle || this.#ids.wasReset(streamId)) return;
    this.#life.fail(code, 'a frame of a stream that is over');
  }

  /** What came on it is an error of its stream; who makes many of them is ended: MadeYouReset, CVE-2025-8671. */
  #resetFaulty(stream: ServerStream, code: ErrorCode): void {
    this.#life.reset(stream, code);
    this.#life.spend('errors');
  }

  #refuseStream(streamId: number, code: ErrorCode, budget: 'errors' | 'empty_frames', headBytes = 0): void {
    this.#ids.rememberReset(streamId);
    writeRstStream(this.#life.sending.out, streamId, code);
    this.#life.spend(budget, costOf(headBytes));
  }
}
