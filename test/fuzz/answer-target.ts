import * as net from 'node:net';
import type { Caller, Upstream, UpstreamCall } from '../../src/plane/wire/upstream-call.ts';
import { onwardRequest, RecordingCaller } from '../support/caller.ts';
import { listenOnLoopback } from '../support/collector.ts';
import { startHttp1Upstream } from '../support/http1-upstream.ts';
import { Cleanups } from '../support/scope.ts';
import { HEAD, openUpstream } from '../support/wire-upstream.ts';
import { chop } from './mutate.ts';
import { turns } from './target.ts';
import type { Target } from './target.ts';

const MAX_TURNS = 2_000;
/** Calls that may share the connection on which the answer comes. */
const CALLS = { http1: 1, http2: 3 } as const;

/** The side that faces the collector, and a collector that answers with the input, whatever it was asked. */
export async function answerTarget(protocol: 'http1' | 'http2'): Promise<Target> {
  const cleanups = new Cleanups();
  let answer: (socket: net.Socket) => void = () => {};
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => answer(socket));
    socket.resume();
  });
  const port = await listenOnLoopback(server);
  cleanups.after(() => new Promise((resolve) => server.close(resolve)));

  function open(scope: Cleanups): Upstream {
    const url = `http://127.0.0.1:${port}`;
    return protocol === 'http1' ? startHttp1Upstream(scope, url) : openUpstream(scope, url);
  }

  return {
    async run(input, chance) {
      const scope = new Cleanups();
      const pieces = chop(input, chance);
      answer = (socket) => void write(socket, pieces);
      const upstream = open(scope);
      const callers = Array.from({ length: CALLS[protocol] }, () => new ReleasingCaller());
      for (const caller of callers) caller.begin(upstream, protocol);
      for (let i = 0; i < MAX_TURNS && callers.some((caller) => !caller.isOver); i++) await turns(1);
      const told = callers.map((caller) => caller.isOver);
      for (const caller of callers) caller.call?.cancel();
      await scope.run();
      for (const socket of sockets) socket.destroy();
      // The collector has gone: whoever has not heard by now never will.
      return told.every(Boolean) ? undefined : 'a call was never told that it is over';
    },
    close: () => cleanups.run(),
  };
}

async function write(socket: net.Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    if (!socket.writable) return;
    socket.write(piece);
    await turns(1);
  }
  socket.end();
}

/** Takes what comes, as a sender that reads does. */
class ReleasingCaller extends RecordingCaller implements Caller {
  call: UpstreamCall | undefined;

  begin(upstream: Upstream, protocol: 'http1' | 'http2'): void {
    const request =
      protocol === 'http1' ? onwardRequest({ bodyLength: 4 }) : onwardRequest({ head: { ...HEAD }, bodyLength: 4 });
    const call = upstream.open(request, this);
    if (typeof call === 'string') return this.failed(call);
    this.call = call;
    call.write(Buffer.from('body'), true);
  }

  override answerBytes(piece: Buffer, ends: boolean): void {
    super.answerBytes(piece, ends);
    this.call?.release(piece.length);
  }
}
