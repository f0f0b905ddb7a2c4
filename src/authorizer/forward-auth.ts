import { toFieldValue } from '../headers.ts';
import { discardBody } from '../plane/library/discard.ts';
import type { HttpRequest, HttpResponse } from '../plane/library/edge.ts';
import { toGrpcReply } from '../reply/grpc.ts';
import { toHttpReply } from '../reply/http.ts';
import type { Answer, Judge } from './judge.ts';
import { AUTHZ_PATH, originalRequest } from './original-request.ts';

export interface ForwardAuthOptions {
  readonly judge: Judge;
  /** Whether this is the address of a further proxy, which says whom it has a request from. */
  readonly isProxy: (address: string) => boolean;
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

/** Where Envoy reads which fields it is to remove; others have that in their configuration. */
const NAMES_TO_REMOVE = 'x-envoy-auth-headers-to-remove';
/** The words of a refusal, for proxies that pass on fields of the answer but not its body. */
const MESSAGE = 'x-keygate-message';

/** Answers proxies that ask over HTTP: 200 is yes, anything else what the sender is to get. */
export function createForwardAuth({ judge, isProxy }: ForwardAuthOptions) {
  return (request: HttpRequest, response: HttpResponse): void => {
    const { method, url = '', rawHeaders: fields, socket } = request;
    const question = originalRequest({ method, url, fields, peer: socket.remoteAddress ?? '' }, isProxy);
    discardBody(request, () => request.destroy()); // some pass on the body that they ask about
    if (question === undefined) return send(response, NOTHING_ELSE);
    void judge({ port: 'authz_http', ...question }).then((answer) => send(response, toAnswer(answer)));
  };

  function send(response: HttpResponse, { status, headers, body }: HttpAnswer): void {
    if (response.destroyed) return;
    response.writeHead(status, headers);
    response.end(body);
  }
}

/** Not counted, and no refusal: nobody's request depends on it. */
const NOTHING_ELSE: HttpAnswer = {
  status: 404,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: `Proxies ask at ${AUTHZ_PATH}, and there is nothing else here.\n`,
};

function toAnswer(answer: Answer): HttpAnswer {
  if (answer.verdict === 'allow') {
    const headers = {
      ...Object.fromEntries(answer.set),
      [NAMES_TO_REMOVE]: answer.remove.join(','),
      'content-length': '0',
    };
    return { status: 200, headers };
  }
  const { reply, asker, isGrpc } = answer;
  const { status, headers, body } = toHttpReply(reply, asker);
  // For proxies that make a gRPC answer of it. Those that pass it on as it is leave clients with the status of HTTP, which all of them
  // take for the same.
  const { ':status': _status, 'content-type': _type, ...grpc } = isGrpc ? toGrpcReply(reply) : {};
  const message = toFieldValue(reply.status.message);
  return { status, headers: { ...headers, ...toTexts(grpc), [MESSAGE]: message }, body };
}

function toTexts(fields: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}
