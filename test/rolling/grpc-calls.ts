import * as http2 from 'node:http2';
import { frame, TRACES_PATH } from '../support/grpc-client.ts';
import type { Attempt, ClientOptions } from './clients.ts';

const SESSIONS = 4;
const TIMEOUT_MS = 10_000;
/** CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS: what the specification of OTLP has retried. */
const RETRIED = new Set(['1', '4', '10', '11', '14', '15']);
const { NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL } = http2.constants;

/** Calls over a few connections in turn, each of which is replaced when the other side takes its leave, or it breaks. */
export function createGrpcCalls({ url, key }: ClientOptions): (message: Buffer) => Promise<Attempt> {
  const sessions: (http2.ClientHttp2Session | undefined)[] = Array.from({ length: SESSIONS });
  const fields = {
    ':method': 'POST',
    ':path': TRACES_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    'x-api-key': key,
  };
  let turn = 0;

  function sessionInTurn(): http2.ClientHttp2Session {
    turn = (turn + 1) % SESSIONS;
    const open = sessions[turn];
    if (open !== undefined && !open.closed && !open.destroyed) return open;
    const session = http2.connect(url);
    session.on('error', () => {}); // its streams hear of it
    sessions[turn] = session;
    return session;
  }

  return (message) =>
    new Promise((resolve) => {
      const stream = sessionInTurn().request(fields);
      let status: string | undefined;
      let wasRefusedByHttp: number | undefined;
      let fault: Error | undefined;
      const see = (answer: http2.IncomingHttpHeaders): void =>
        void (status = answer['grpc-status']?.toString() ?? status);
      stream.on('response', (answer) => {
        see(answer);
        if (answer[':status'] !== 200) wasRefusedByHttp = answer[':status'];
      });
      stream.on('trailers', see);
      stream.on('error', (error) => (fault = error));
      stream.setTimeout(TIMEOUT_MS, () => stream.close(NGHTTP2_CANCEL));
      stream.on('close', () => {
        if (status === '0') return resolve('accepted');
        if (status !== undefined) return resolve({ retry: RETRIED.has(status), why: `grpc-status ${status}` });
        if (wasRefusedByHttp !== undefined) return resolve(ofHttp(wasRefusedByHttp));
        resolve(ofReset(stream.rstCode, fault));
      });
      stream.resume();
      stream.end(frame(message));
    });
}

/** What gRPC makes of an answer that is none of its own. */
function ofHttp(status: number): Attempt {
  return { retry: [429, 502, 503, 504].includes(status), why: `HTTP status ${status}` };
}

/** As gRPC reads it: a stream that was not looked at is begun again, a broken connection is UNAVAILABLE, most else is INTERNAL. */
function ofReset(code: number | undefined, fault: Error | undefined): Attempt {
  if (code === NGHTTP2_REFUSED_STREAM) return 'again';
  const why = fault?.message ?? `reset ${code}`;
  const isOfConnection = fault !== undefined && !fault.message.startsWith('Stream closed with error code');
  return { retry: isOfConnection || code === NGHTTP2_CANCEL, why };
}
