import { constants } from 'node:http2';
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Metadata, StatusObject } from '@grpc/grpc-js';
import type { Credential, Gate, Judgement } from '../../gate.ts';
import { filterResponseFields } from '../../headers.ts';
import type { ToUpstream } from '../../headers.ts';
import type { KeyRecord } from '../../keys/record.ts';
import { explain } from '../../reply/refusal.ts';
import { encodeGrpcMessage, toGrpcReply } from '../../reply/grpc.ts';
import { grpcFault, isGrpcAnswer, isOk, isUpstreamStatus } from '../../upstream/faults.ts';
import { cancelCall } from '../../upstream/cancel-call.ts';
import type { GrpcChannel, RawCall } from '../../upstream/grpc-channel.ts';
import type { Refusal, Sending } from '../../verdict/decide.ts';
import type { PlaneLimits } from '../plane.ts';
import type { GrpcRoutes } from '../routes.ts';
import { parseGrpcTimeout } from '../grpc-timeout.ts';
import { LOOK_AGAIN_MS, lookAgain } from '../second-look.ts';
import { discardBody } from './discard.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import { exceedsHeaderLimits } from './limits.ts';

export interface GrpcRelayOptions {
  readonly gate: Gate;
  /** Absent: there is no collector for gRPC. */
  readonly channel: GrpcChannel | undefined;
  readonly grpcRoutes: GrpcRoutes;
  readonly toUpstream: ToUpstream;
  /** Hears of the bytes of bodies as they pass. */
  readonly debit: (key: KeyRecord, bytes: number) => void;
  readonly limits: Pick<PlaneLimits, 'maxBodyBytes' | 'maxHeaders' | 'maxHeaderBytes' | 'upstreamTimeoutMs'>;
  readonly exchanges: Exchanges;
  readonly now: () => number;
}

/** What goes on of a request that was let through, and what it was let through for. */
interface Onward {
  readonly fields: readonly string[];
  readonly path: string;
  readonly key: KeyRecord;
  readonly deadlineMs: number;
  readonly credential: Credential;
  readonly use: Sending;
}

export type GrpcHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, fields: readonly string[]) => void;

/** Of each call, what may wait for the collector here. grpc-js counts the chunks that wait, however large they are. */
const MAX_UNSENT_BYTES = 65_536;

/** Judges a gRPC request by its head and relays its bytes, or answers it with trailers only. */
export function createGrpcRelay(options: GrpcRelayOptions): GrpcHandler {
  const { gate, channel, grpcRoutes, toUpstream, debit, limits, exchanges, now } = options;

  return function handle(stream, headers, fields) {
    const route = grpcRoutes.get(headers[':path'] ?? '');
    const signal = route?.signal;
    const peer = stream.session?.socket.remoteAddress ?? '';
    const { origin, 'user-agent': userAgent } = headers;
    const exchange = exchanges.begin({ protocol: 'grpc', route: route?.name, signal, peer, userAgent, fields });
    exchange.onInterrupt = () => refuse(stream, exchange, { verdict: 'refuse', reason: 'draining' });
    stream.on('close', () => exchange.end('cancelled')); // the last to speak: a no-op unless the client left first
    stream.on('aborted', () => {
      exchange.end('cancelled');
      stream.resume(); // a stream that was reset closes, and its call with it, once all that had come of it is read
    });

    const timeout = parseGrpcTimeout(headers['grpc-timeout'] as string | undefined);
    if (exceedsHeaderLimits(fields, limits))
      return refuse(stream, exchange, { verdict: 'refuse', reason: 'header_limits' });
    if (headers[':method'] !== 'POST')
      return refuse(stream, exchange, { verdict: 'refuse', reason: 'method_not_allowed' });
    if (route === undefined) return refuse(stream, exchange, { verdict: 'refuse', reason: 'not_found' });
    if ('problem' in timeout) return refuse(stream, exchange, { verdict: 'refuse', reason: timeout.problem });

    const deadlineMs = now() + Math.min(timeout.timeoutMs, limits.upstreamTimeoutMs);
    const credential = gate.read(fields);
    const use: Sending = { to: 'send', signal, route: route.name, peer, origin };
    const proceed = (judgement: Judgement): void => {
      exchange.judged(judgement);
      const { decision } = judgement;
      if (decision.verdict === 'refuse') return refuse(stream, exchange, decision);
      if (exchange.ended) return;
      relay(stream, exchange, { fields, path: headers[':path'] ?? '', key: decision.key, deadlineMs, credential, use });
    };
    const judgement = gate.judgeCredential(credential, use);
    if (judgement instanceof Promise) void judgement.then(proceed);
    else proceed(judgement);
  };

  function relay(stream: ServerHttp2Stream, exchange: Exchange, onward: Onward): void {
    const { fields, path, key, deadlineMs } = onward;
    if (channel === undefined) return refuse(stream, exchange, { verdict: 'refuse', reason: 'upstream_unavailable' });
    const call = channel.open(path, toUpstream(fields, key), deadlineMs);
    if ('problem' in call) return refuse(stream, exchange, { verdict: 'refuse', reason: call.problem });
    exchange.upstreamStarted();
    relayRequestBytes(stream, call, exchange, key);
    relayResponse(stream, call, exchange, onward);
    stream.on('close', () => cancelCall(call));
  }

  function relayRequestBytes(stream: ServerHttp2Stream, call: RawCall, exchange: Exchange, key: KeyRecord): void {
    let unsentBytes = 0;
    stream.on('data', (chunk: Buffer) => {
      exchange.receivedBytes += chunk.length;
      if (exchange.ended) return;
      debit(key, chunk.length);
      if (exchange.receivedBytes > limits.maxBodyBytes) {
        cancelCall(call);
        refuse(stream, exchange, { verdict: 'refuse', reason: 'body_too_large' });
        return;
      }
      unsentBytes += chunk.length;
      call.write(chunk, () => {
        unsentBytes -= chunk.length;
        if (unsentBytes < MAX_UNSENT_BYTES && stream.isPaused()) stream.resume();
      });
      if (unsentBytes >= MAX_UNSENT_BYTES) stream.pause();
    });
    const endCall = (): void => {
      // A stream that was cut, by the client or by us, also ends here; only one that ended by itself may look complete to
      // the collector.
      if (!stream.closed && !stream.destroyed && !exchange.ended) call.end();
    };
    if (stream.readableEnded) endCall(); // an empty body ends while the key is being looked up
    else stream.on('end', endCall);
  }

  function relayResponse(stream: ServerHttp2Stream, call: RawCall, exchange: Exchange, onward: Onward): void {
    let sawHeaders = false;
    call.on('metadata', (metadata: Metadata) => {
      if (exchange.ended || stream.destroyed) return;
      if (!isGrpcAnswer(metadata)) {
        cancelCall(call);
        return refuse(stream, exchange, { verdict: 'refuse', reason: 'upstream_unavailable' });
      }
      sawHeaders = true;
      stream.respond({ ':status': 200, ...toHeaders(metadata) }, { waitForTrailers: true });
    });
    call.on('data', (message: Buffer) => {
      exchange.sentBytes += message.length;
      if (exchange.ended || stream.destroyed) return;
      if (!stream.write(message)) {
        call.pause();
        stream.once('drain', () => call.resume());
      }
    });
    call.on('error', () => {}); // every error is also a status
    call.on('status', (status: StatusObject) => {
      if (!isUpstreamStatus(status, sawHeaders)) return fail({ verdict: 'refuse', reason: grpcFault(status) });
      exchange.upstreamAnswered(status.code);
      if (!exchange.end('accepted') || stream.destroyed) return;
      const trailers = toTrailers(status);
      if (!sawHeaders) {
        // Trailers-only stays trailers-only: Java's exporter and grpc-go's retries depend on it.
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true });
        stopReading(stream);
        return;
      }
      stream.once('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end();
    });

    const breakOff = (refusal: Refusal): void => {
      cancelCall(call);
      fail(refusal);
    };
    exchange.onInterrupt = () => breakOff({ verdict: 'refuse', reason: 'draining' });
    const looking = setInterval(() => {
      // What the collector has got whole, and has not answered yet, was sent in time.
      if (!stream.readableEnded || sawHeaders) lookAgain(gate, onward, breakOff);
    }, LOOK_AGAIN_MS).unref();
    stream.on('close', () => clearInterval(looking));

    function fail(refusal: Refusal): void {
      if (!sawHeaders) return refuse(stream, exchange, refusal);
      if (!exchange.end(refusal.reason) || stream.destroyed) return;
      const {
        ':status': _status,
        'content-type': _type,
        ...trailers
      } = toGrpcReply(explain(refusal, exchange.requestId));
      stream.once('wantTrailers', () => stream.sendTrailers(trailers));
      stream.end();
    }
  }
}

function refuse(stream: ServerHttp2Stream, exchange: Exchange, refusal: Refusal): void {
  if (!exchange.end(refusal.reason) || stream.destroyed || stream.headersSent) return;
  stream.respond(toGrpcReply(explain(refusal, exchange.requestId)), { endStream: true });
  stopReading(stream);
}

/**
 * Answered before the request ended. The reset that tells the client to stop (RFC 9113 section 8.1) comes late or never:
 * sent at once it would overtake the answer, and the client would see a call without a status.
 */
function stopReading(stream: ServerHttp2Stream): void {
  discardBody(stream, () => stream.close(constants.NGHTTP2_NO_ERROR));
}

function toHeaders(metadata: Metadata): OutgoingHttpHeaders {
  const fields = Object.entries(metadata.toHttp2Headers()).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).flatMap((one) => [name, String(one)]),
  );
  const headers: Record<string, string[]> = Object.create(null); // a field may be called "constructor"
  for (const [name, value] of filterResponseFields(fields)) (headers[name] ??= []).push(value);
  return headers;
}

function toTrailers(status: StatusObject): OutgoingHttpHeaders {
  const { 'content-type': _type, ...headers } = toHeaders(status.metadata);
  return {
    ...headers,
    'grpc-status': String(status.code),
    ...(status.details === '' || isOk(status) ? {} : { 'grpc-message': encodeGrpcMessage(status.details) }),
  };
}
