import type * as tls from 'node:tls';
import type { Endpoint } from '../../../upstream/endpoint.ts';
import type { Output } from '../output.ts';
import { connectTransport } from '../transport.ts';
import type { ConnectEvents, Transport } from '../transport.ts';
import type { AnswerHead } from '../upstream-call.ts';
import { AnswerFrames } from './answer-frames.ts';
import type { AnswerSink } from './answer-frames.ts';
import type { AnswerBlock } from './answer-reader.ts';
import type { Carrier, ClientStream } from './client-stream.ts';
import { writeGoaway, writePing, writeRstStream, writeSettings, writeSettingsAck } from './frame-writer.ts';
import { writeWindowUpdate } from './frame-writer.ts';
import { DEFAULT_WINDOW, ERROR, LARGEST_WINDOW, PREFACE, SETTING } from './frames.ts';
import type { ErrorCode } from './frames.ts';
import { Liveness } from './liveness.ts';
import type { HeadBlocks } from './onward-head.ts';
import { Sending } from './sending.ts';
import { SentBodies } from './sent-bodies.ts';
import { StreamTable } from './stream-table.ts';
import type { PeerSettings } from './settings.ts';
import { connectionWindowBytes, ReceiveWindow, STREAM_WINDOW_BYTES } from './windows.ts';

/** Who opened a connection, and finds its streams. */
export interface ConnectionOwner {
  /** The collector has said hello: streams may begin. */
  ready(connection: ClientConnection): void;
  /** There may be room for a stream. */
  roomFreed(connection: ClientConnection): void;
  /** The head of an answer has come: of the collector, or of something in front of it. */
  answered(connection: ClientConnection, head: AnswerHead): void;
  /** No more streams may begin here; those under way may finish. */
  leaving(connection: ClientConnection): void;
  /** It is over; its streams hear of it next. */
  closed(connection: ClientConnection, streams: number, why: string): void;
}

export interface ClientConnectionOptions {
  readonly endpoint: Endpoint;
  readonly tls: tls.ConnectionOptions | undefined;
  /** Until the collector's SETTINGS are here. */
  readonly connectTimeoutMs: number;
  readonly nowMs: number;
  readonly owner: ConnectionOwner;
  readonly headBlocks: HeadBlocks;
}

/** Streams at a time, whatever the collector would take. */
const MAX_STREAMS = 4_096;
/** More streams than this at a time are worth another connection. */
const MANY_STREAMS = 100;
const LAST_STREAM_ID = 0x7fff_ffff;
const PING_BYTES = Buffer.from('keygate.');

const SETTINGS: readonly (readonly [number, number])[] = [
  [SETTING.HEADER_TABLE_SIZE, 0],
  [SETTING.ENABLE_PUSH, 0],
  [SETTING.INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES],
];

/** One HTTP/2 connection to one address of the collector (RFC 9113), from this side as the client. */
export class ClientConnection implements Carrier, ConnectEvents, AnswerSink {
  readonly endpoint: Endpoint;
  readonly openedAtMs: number;
  readonly sending: Sending;
  readonly sent = new SentBodies();
  state: 'connecting' | 'ready' | 'leaving' | 'closed' = 'connecting';
  wasReady = false;
  /** Answers that have come. */
  answers = 0;

  private readonly options: ClientConnectionOptions;
  private readonly owner: ConnectionOwner;
  private readonly transport: Transport;
  private readonly out: Output;
  private readonly frames: AnswerFrames;
  private readonly liveness: Liveness;
  private readonly streams = new StreamTable<ClientStream>();
  private nextId = 1;
  private maxStreams = MAX_STREAMS;
  private readonly window = new ReceiveWindow(connectionWindowBytes(MAX_STREAMS));

  constructor(options: ClientConnectionOptions) {
    const { endpoint, tls: tlsOptions, connectTimeoutMs, nowMs } = options;
    this.options = options;
    this.endpoint = endpoint;
    this.owner = options.owner;
    this.openedAtMs = nowMs;
    this.frames = new AnswerFrames(this, nowMs);
    this.liveness = new Liveness(nowMs);
    const { address: host, port } = endpoint;
    this.transport = connectTransport({ host, port, tls: tlsOptions, connectTimeoutMs }, this);
    this.out = this.transport.out;
    this.sending = new Sending(this.out);
  }

  /** The less, the better for the next stream. */
  get load(): number {
    return this.streams.size + (this.sending.window > 0 ? 0 : MANY_STREAMS);
  }

  get streamCount(): number {
    return this.streams.size;
  }

  get hasRoom(): boolean {
    return this.state === 'ready' && this.streams.size < this.maxStreams && !this.out.isCongested;
  }

  /** Whether another connection would help. */
  get isBusy(): boolean {
    return (
      this.streams.size >= Math.min(MANY_STREAMS, this.maxStreams) || this.sending.window <= 0 || this.out.isCongested
    );
  }

  /** Only where there is room. */
  begin(stream: ClientStream): void {
    const id = this.nextId;
    this.nextId += 2;
    this.streams.set(id, stream);
    stream.begin(this, id, this.options.headBlocks(stream.request));
    if (this.nextId > LAST_STREAM_ID) this.leave();
  }

  /** Begins no more streams, and ends with the last of them. */
  leave(): void {
    if (this.state === 'connecting') this.cut('it is not wanted any more');
    if (this.state !== 'ready') return;
    this.state = 'leaving';
    this.owner.leaving(this);
    this.closeIfDone();
  }

  /** Looked at a few times a second. */
  check(nowMs: number): void {
    this.frames.check(nowMs);
    if (this.state === 'connecting') {
      if (nowMs - this.openedAtMs > this.options.connectTimeoutMs) this.cut('it does not speak HTTP/2');
      return;
    }
    const health = this.liveness.check(nowMs, this.streams.size > 0);
    if (health === 'ping') writePing(this.out, PING_BYTES, false);
    else if (health === 'dead') this.cut('it does not answer');
  }

  onConnected(): void {
    if (this.options.tls !== undefined && this.transport.alpnProtocol !== 'h2') {
      this.cut('it does not offer HTTP/2 (ALPN h2)');
      return;
    }
    this.out.append(PREFACE);
    writeSettings(this.out, SETTINGS);
    writeWindowUpdate(this.out, 0, connectionWindowBytes(MAX_STREAMS) - DEFAULT_WINDOW);
  }

  onBytes(chunk: Buffer): void {
    this.liveness.heard();
    this.frames.read(chunk);
  }

  onDrained(): void {
    this.sending.pump();
    this.owner.roomFreed(this);
  }

  onEnded(): void {
    this.cut('it has ended the connection');
  }

  onClosed(error: Error | undefined): void {
    this.over(error?.message ?? 'the connection was closed');
  }

  broke(code: ErrorCode, why: string): void {
    if (this.state === 'closed') return;
    writeGoaway(this.out, 0, code, why);
    this.close(why);
  }

  settingsCame({ maxStreams, streamWindow }: PeerSettings): void {
    writeSettingsAck(this.out);
    if (maxStreams !== undefined) this.maxStreams = Math.min(maxStreams, MAX_STREAMS);
    if (streamWindow !== undefined) this.resizeWindows(streamWindow);
    if (this.state !== 'connecting') return this.owner.roomFreed(this);
    this.state = 'ready';
    this.wasReady = true;
    this.owner.ready(this);
  }

  /** May take more than a stream has left: then it has to wait until that is made good (RFC 9113 section 6.9.2). */
  private resizeWindows(streamWindow: number): void {
    const growth = streamWindow - this.sending.streamWindow;
    this.sending.streamWindow = streamWindow;
    for (const stream of this.streams.values()) stream.windowGrew(growth);
    this.sending.pump();
  }

  answerCame(streamId: number, block: AnswerBlock | 'malformed', ends: boolean): void {
    const stream = this.find(streamId);
    if (stream === undefined) return;
    if (block === 'malformed') return stream.malformed();
    const { head, varying } = block;
    if (head.status >= 200) {
      this.answers += 1;
      this.owner.answered(this, head);
    }
    stream.headCame(head, varying, ends);
  }

  dataCame(streamId: number, piece: Buffer, flowBytes: number, ends: boolean): void {
    if (!this.window.take(flowBytes)) return this.broke(ERROR.FLOW_CONTROL_ERROR, 'more DATA than allowed');
    const stream = this.find(streamId);
    if (stream === undefined) this.released(flowBytes);
    else stream.dataCame(piece, flowBytes, ends);
  }

  resetCame(streamId: number, code: number): void {
    this.find(streamId)?.resetCame(code);
  }

  windowGrew(streamId: number, bytes: number): void {
    if (streamId !== 0) {
      const stream = this.find(streamId);
      if (bytes === 0) stream?.malformed(); // RFC 9113 section 6.9
      else stream?.windowGrew(bytes);
    } else {
      this.sending.window += bytes;
      if (bytes === 0) return this.broke(ERROR.PROTOCOL_ERROR, 'a window that grows by nothing');
      if (this.sending.window > LARGEST_WINDOW) return this.broke(ERROR.FLOW_CONTROL_ERROR, 'a window too large');
    }
    this.sending.pump();
  }

  pingCame(payload: Buffer): void {
    if (this.out.isCongested) this.frames.servesNobody(); // otherwise none too many: grpc-go pings all the time to measure the way
    writePing(this.out, payload, true);
  }

  /** Streams above the last one were not looked at (RFC 9113 section 6.8). The last one may come down with another GOAWAY. */
  goawayCame(lastStreamId: number): void {
    this.leave();
    for (const stream of this.streams.values()) if (stream.id > lastStreamId) stream.wasNotProcessed();
  }

  released(bytes: number): void {
    const increment = this.window.give(bytes);
    if (increment > 0 && this.state !== 'closed') writeWindowUpdate(this.out, 0, increment);
  }

  widen(streamId: number, bytes: number): void {
    writeWindowUpdate(this.out, streamId, bytes);
  }

  forget(stream: ClientStream, code: ErrorCode | undefined): void {
    if (!this.streams.delete(stream.id)) return;
    if (code !== undefined) writeRstStream(this.out, stream.id, code);
    if (this.state === 'leaving') this.closeIfDone();
    else this.owner.roomFreed(this);
  }

  /** What is over may still be spoken of by what was on its way; what never was may not (RFC 9113 section 5.1). */
  private find(streamId: number): ClientStream | undefined {
    const stream = this.streams.get(streamId);
    if (stream !== undefined) return stream;
    if (streamId >= this.nextId || streamId % 2 === 0)
      this.broke(ERROR.PROTOCOL_ERROR, 'a stream that was never begun');
    else this.frames.servesNobody();
    return undefined;
  }

  private closeIfDone(): void {
    if (this.streams.size > 0) return;
    writeGoaway(this.out, 0, ERROR.NO_ERROR);
    this.close('it is done');
  }

  /** In order: what was written still leaves. */
  private close(why: string): void {
    this.transport.end();
    this.over(why);
  }

  private cut(why: string): void {
    this.transport.destroy();
    this.over(why);
  }

  private over(why: string): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.frames.stop();
    const streams = this.streams.values();
    this.streams.clear();
    this.owner.closed(this, streams.length, why);
    for (const stream of streams) stream.connectionLost();
  }
}
