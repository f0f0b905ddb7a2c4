import { executionAsyncResource } from 'node:async_hooks';
import type * as http2 from 'node:http2';

/**
 * Keeps the native half of a session until those of all its streams are gone.
 *
 * A stream whose last header block never became whole (trailers that are invalid, cut off, or beyond a limit) holds header
 * buffers that are counted as its session's. It is off the session's list once it is destroyed, but freed only later: by an
 * immediate, or, while the socket still owes one of its writes, by the garbage collector. If the collector comes upon the
 * session first, Node (26.10) finds the count above zero and aborts the process (assertion `current_nghttp2_memory_ == 0`).
 * Whoever may send trailers could end the gateway so: docs/decisions/0004-sessions-outlive-their-streams.md.
 *
 * So each stream holds on to `streamsLive`; when nothing does any more, the registry says so after the collection that freed
 * the streams, and only then lets go of the native half, which only a later collection can free.
 */
const nativeHalves = new FinalizationRegistry<object>(() => undefined);
const holds = new WeakMap<http2.Http2Stream, object>();

export function outliveStreams(session: http2.Http2Session): void {
  let streamsLive: object | undefined = {};
  // Emitted from within a callback of the native half, which is then the resource that executes; no stream comes before it.
  session.once('remoteSettings', () => {
    if (streamsLive !== undefined) nativeHalves.register(streamsLive, executionAsyncResource());
  });
  session.on('stream', (stream) => {
    if (streamsLive !== undefined) holds.set(stream, streamsLive);
  });
  // Not at once: streams that never got here are freed by an immediate.
  session.once('close', () => setImmediate(() => (streamsLive = undefined)));
}
