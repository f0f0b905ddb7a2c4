import { Budgets } from '../budgets.ts';
import type { CountedBudget } from '../budgets.ts';
import { Gathered } from '../gathered.ts';
import { FAREWELL_MS, TURN_MS } from '../server-connection.ts';
import type { ConnectionContext, ServerConnection } from '../server-connection.ts';
import type { Transport, TransportEvents } from '../transport.ts';
import { writeGoaway, writePing, writeRstStream, writeSettings, writeWindowUpdate } from './frame-writer.ts';
import {
  DEFAULT_MAX_FRAME_SIZE,
  DEFAULT_WINDOW,
  ERROR,
  FrameReader,
  LARGEST_WINDOW,
  PREFACE,
  SETTING,
} from './frames.ts';
import type { ErrorCode } from './frames.ts';
import { Sending } from './sending.ts';
import { ServerFrames } from './server-frames.ts';
import type { ConnectionLife } from './server-frames.ts';
import type { ServerStream } from './server-stream.ts';
import { connectionWindowBytes, STREAM_WINDOW_BYTES } from './windows.ts';

const FAREWELL_PING = Buffer.from('farewell');

/**
 * A sender's connection over HTTP/2: its beginning and end, what it may spend, and how long it may wait. What its frames
 * say is with ServerFrames.
 */
export class Http2ServerConnection implements ServerConnection, TransportEvents, ConnectionLife {
  readonly context: ConnectionContext;
  readonly sending: Sending;
  readonly #transport: Transport;
  readonly #frames: ServerFrames;
  readonly #reader: FrameReader;
  readonly #budgets: Budgets;
  /** What has come, and waits for the next turn of this connection. */
  readonly #unread = new Gathered();
  readonly #openedAtMs = performance.now();
  #prefaceBytes = 0;
  #due = new Set(['settings', 'acknowledgement']);
  #idleSinceMs = this.#openedAtMs;
  #congestedSinceMs = 0;
  #isPaused = false;
  #isOver = false;
  /** When the first word of leaving was said; 0 if it was not. */
  #leavesSinceMs = 0;
  #saidLast = false;

  constructor(transport: Transport, context: ConnectionContext) {
    this.#transport = transport;
    this.context = context;
    this.sending = new Sending(transport.out);
    this.#frames = new ServerFrames(this, transport.remoteAddress);
    this.#reader = new FrameReader(this.#frames, DEFAULT_MAX_FRAME_SIZE);
    this.#budgets = new Budgets(context.budgetSpent);
    transport.events = this;
    context.connections.add(this);
    const { maxStreams, maxHeaderBytes } = context.limits;
    writeSettings(transport.out, [
      [SETTING.HEADER_TABLE_SIZE, 0],
      [SETTING.MAX_CONCURRENT_STREAMS, maxStreams],
      [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
      [SETTING.MAX_HEADER_LIST_SIZE, maxHeaderBytes],
    ]);
    const more = connectionWindowBytes(maxStreams) - DEFAULT_WINDOW;
    if (more > 0) writeWindowUpdate(transport.out, 0, more);
    if (context.draining()) this.drain();
  }

  onBytes(chunk: Buffer): void {
    const rest = this.#prefaceBytes < PREFACE.length ? this.#readPreface(chunk) : chunk;
    if (this.#unread.length > 0) {
      this.#unread.add(rest);
    } else {
      const at = this.#read(rest);
      if (at < rest.length) this.#waitForTurn(rest.subarray(at));
    }
    this.#steer();
  }

  #read(bytes: Buffer): number {
    return this.#reader.read(bytes, performance.now() + TURN_MS);
  }

  #waitForTurn(rest: Buffer): void {
    if (this.#isOver) return;
    this.#unread.add(rest);
    setImmediate(this.#takeTurn);
  }

  readonly #takeTurn = (): void => {
    this.#unread.drop(this.#read(this.#unread.bytes));
    if (this.#isOver) return;
    if (this.#unread.length > 0) setImmediate(this.#takeTurn);
    this.#steer();
  };

  /** Whoever does not read what we say is not read either: what it could still make us say is bounded. */
  #steer(): void {
    if (this.#isOver) return;
    const mustPause = this.#unread.length > 0 || this.#transport.out.isCongested;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#transport.pause();
    else this.#transport.resume();
  }

  #readPreface(chunk: Buffer): Buffer {
    const due = PREFACE.subarray(this.#prefaceBytes);
    const part = chunk.subarray(0, due.length);
    this.#prefaceBytes += part.length;
    if (!due.subarray(0, part.length).equals(part)) this.fail(ERROR.PROTOCOL_ERROR, 'no preface');
    return chunk.subarray(part.length);
  }

  onDrained(): void {
    this.#congestedSinceMs = 0;
    this.sending.pump();
    this.#steer();
  }

  /** A client that has ended its half has left: nobody should work on for it. */
  onEnded(): void {
    this.#end();
    this.#transport.end();
  }

  onClosed(): void {
    this.#end();
    this.context.connections.delete(this);
  }

  check(nowMs: number): void {
    if (this.#isOver) return;
    const { headersTimeoutMs, idleTimeoutMs } = this.context.limits;
    if (this.#due.size > 0 && nowMs - this.#openedAtMs > headersTimeoutMs)
      return this.#outOfTime(ERROR.SETTINGS_TIMEOUT);
    if (this.#frames.unfinishedSince(nowMs) + headersTimeoutMs < nowMs) return this.#outOfTime(ERROR.ENHANCE_YOUR_CALM);
    if (!this.#transport.out.isCongested) this.#congestedSinceMs = 0;
    else if (this.#congestedSinceMs === 0) this.#congestedSinceMs = nowMs;
    else if (nowMs - this.#congestedSinceMs > idleTimeoutMs) {
      this.context.budgetSpent('unread_output', 'ended');
      return this.fail(ERROR.ENHANCE_YOUR_CALM, 'nothing is read');
    }
    if (this.#frames.checkStreams(nowMs)) this.#idleSinceMs = nowMs;
    else if (nowMs - this.#idleSinceMs > idleTimeoutMs) return this.fail(ERROR.NO_ERROR, 'idle');
    if (this.#leavesSinceMs > 0 && nowMs - this.#leavesSinceMs > FAREWELL_MS) this.#sayLast();
  }

  #outOfTime(code: ErrorCode): void {
    this.context.budgetSpent('time', 'ended');
    this.fail(code, 'out of time');
  }

  /** RFC 9113 section 6.8: what is under way towards us when the first word is said will still be served. */
  drain(): void {
    if (this.#isOver || this.#leavesSinceMs > 0) return;
    this.#leavesSinceMs = performance.now();
    writeGoaway(this.#transport.out, LARGEST_WINDOW, ERROR.NO_ERROR);
    writePing(this.#transport.out, FAREWELL_PING, false);
  }

  ponged(): void {
    if (this.#leavesSinceMs > 0) this.#sayLast();
  }

  /** Its GOAWAY is about streams of ours (RFC 9113 section 6.8): those of its own may still come for a while, and Node's do. */
  peerLeaves(): void {
    if (this.#leavesSinceMs === 0) this.#leavesSinceMs = performance.now();
  }

  #sayLast(): void {
    if (this.#isOver || this.#saidLast) return;
    this.#saidLast = true;
    writeGoaway(this.#transport.out, this.#frames.takeNoMore(), ERROR.NO_ERROR);
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (!this.#saidLast || this.#isOver || this.#frames.openStreams > 0) return;
    this.#end();
    this.#transport.end();
  }

  destroy(): void {
    this.#end();
    this.#transport.destroy();
  }

  fail(code: ErrorCode, why: string): void {
    if (this.#isOver) return;
    const { out } = this.#transport;
    writeGoaway(out, this.#frames.lastStreamId, code, why);
    this.#end();
    // What is queued will not be read any more: no need to wait for that.
    if (out.isCongested) this.#transport.destroy();
    else this.#transport.end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reader.stop();
    this.#unread.clear();
    this.#frames.leaveAll();
  }

  settled(what: 'settings' | 'acknowledgement'): void {
    this.#due.delete(what);
  }

  spend(budget: CountedBudget, cost?: number): boolean {
    const spent = this.#budgets.spend(budget, cost);
    if (spent === 'warned') this.drain();
    else if (spent === 'ended') this.fail(ERROR.ENHANCE_YOUR_CALM, budget);
    return spent !== 'ended';
  }

  forgive(budget: CountedBudget): void {
    this.#budgets.forgive(budget);
  }

  widen(stream: ServerStream, bytes: number): void {
    writeWindowUpdate(this.#transport.out, stream.streamId, bytes);
  }

  isOver(stream: ServerStream): void {
    this.#frames.forget(stream, false);
    this.#endIfDone();
  }

  reset(stream: ServerStream, code: ErrorCode): void {
    this.#frames.forget(stream, true);
    stream.leave();
    writeRstStream(this.#transport.out, stream.streamId, code);
    this.#endIfDone();
  }
}
