import * as net from 'node:net';
import * as tls from 'node:tls';
import { listenOnLoopback } from './collector.ts';
import {
  block,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  PREFACE,
  readFrames,
  SETTINGS,
  SETTINGS_ACK,
} from './h2-frames.ts';
import type { Fields, Frame } from './h2-frames.ts';
import type { Scope } from './scope.ts';
import type { TestCertificate } from './tls.ts';

/** One connection to a server that speaks HTTP/2 frame by frame. */
export interface ServedConnection {
  readonly socket: net.Socket;
  readonly received: readonly Frame[];
  of(type: number): readonly Frame[];
  send(...frames: readonly Buffer[]): void;
}

export interface FrameServerOptions {
  /** What each connection begins with; by default empty SETTINGS. */
  readonly opening?: Buffer;
  /** Hears of each frame but the SETTINGS, which are acknowledged. By default every request is answered at its end. */
  readonly onFrame?: (frame: Frame, connection: ServedConnection, index: number) => void;
  readonly certificate?: TestCertificate;
  /** What it offers in TLS. */
  readonly protocols?: readonly string[];
  /** One that the certificate itself has signed. */
  readonly wantsClientCertificate?: boolean;
}

export interface FrameServer {
  readonly url: string;
  readonly connections: readonly ServedConnection[];
  /** The frames of this type on all connections. */
  of(type: number): readonly Frame[];
  close(): Promise<void>;
}

/** A server for what no HTTP/2 library would do. */
export async function startFrameServer(t: Scope, options: FrameServerOptions = {}): Promise<FrameServer> {
  const { opening = SETTINGS, onFrame = answerAtEnd, certificate } = options;
  const connections: ServedConnection[] = [];

  function serve(socket: net.Socket): void {
    const received: Frame[] = [];
    const index = connections.length;
    const connection: ServedConnection = {
      socket,
      received,
      of: (type) => received.filter((one) => one.type === type),
      send: (...frames) => void (socket.writable && socket.write(Buffer.concat(frames))),
    };
    connections.push(connection);
    socket.on('error', () => {});
    if (opening.length > 0) socket.write(opening);
    readFrames(
      socket,
      (one) => {
        received.push(one);
        if (one.type !== FRAME.SETTINGS) onFrame(one, connection, index);
        else if (one.flags === 0) socket.write(SETTINGS_ACK);
      },
      PREFACE.length,
    );
  }

  const server = certificate ? tls.createServer(tlsOptions(options, certificate), serve) : net.createServer(serve);
  const port = await listenOnLoopback(server);
  const close = async (): Promise<void> => {
    for (const { socket } of connections) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  return {
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`,
    connections,
    of: (type) => connections.flatMap((connection) => connection.of(type)),
    close,
  };
}

function tlsOptions(options: FrameServerOptions, { cert, key }: TestCertificate): tls.TlsOptions {
  const { protocols = ['h2'], wantsClientCertificate = false } = options;
  const offered = protocols.length > 0 ? { ALPNProtocols: [...protocols] } : {};
  return { cert, key, ...offered, ...(wantsClientCertificate ? { requestCert: true, ca: cert } : {}) };
}

export function endsStream({ type, flags }: Frame): boolean {
  return (type === FRAME.DATA || type === FRAME.HEADERS) && (flags & END_STREAM) !== 0;
}

export function headers(streamId: number, fields: Fields, ends = false): Buffer {
  return frame(FRAME.HEADERS, END_HEADERS | (ends ? END_STREAM : 0), streamId, block(fields));
}

export function data(streamId: number, payload: Buffer, ends = false): Buffer {
  return frame(FRAME.DATA, ends ? END_STREAM : 0, streamId, payload);
}

export const GRPC_HEAD: Fields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];

/** A whole answer of gRPC: an empty message and status 0. */
export function grpcAnswer(streamId: number): Buffer {
  return Buffer.concat([
    headers(streamId, GRPC_HEAD),
    data(streamId, Buffer.alloc(5)),
    headers(streamId, [['grpc-status', '0']], true),
  ]);
}

export function answerAtEnd(one: Frame, connection: ServedConnection): void {
  if (endsStream(one)) connection.send(grpcAnswer(one.streamId));
}
