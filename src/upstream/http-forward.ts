import { EventEmitter } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { Readable } from 'node:stream';
import httpProxy from 'http-proxy';
import { authority } from './target.ts';
import type { UpstreamTarget, UpstreamTls } from './target.ts';

/** A request to the collector: its head, already filtered, and its body as it comes. */
export interface ForwardRequest {
  readonly method: ForwardMethod;
  readonly path: string;
  readonly fields: readonly (readonly [string, string])[];
  /** Taken of a POST only: the others go without, whatever their sender sends. */
  readonly body: Readable;
}

export type ForwardMethod = 'POST' | 'GET' | 'HEAD';

export interface ForwardEvents {
  /** Called at most once, and never after `onError`. */
  onResponse(response: http.IncomingMessage): void;
  /** The collector could not be reached or went away; called at most once. */
  onError(error: NodeJS.ErrnoException): void;
}

export interface HttpForward {
  /** Sends the request; the returned function gives it up and frees its connection. */
  send(request: ForwardRequest, events: ForwardEvents): () => void;
  /** Takes no new requests; connections end with their last one. */
  close(): void;
}

/** Connections to the collector, in use and kept for reuse. Requests above the first number wait for one. */
const MAX_SOCKETS = 1_024;
const MAX_FREE_SOCKETS = 256;

/**
 * Forwards over http-proxy, which opens the request, pipes the body with back-pressure and reports what comes back. The
 * library's known faults are closed here, each for every request:
 *
 * - It reads and rewrites the client's request object, and so forwards its hop-by-hop fields, throws on `Trailer:`
 *   (node-http-proxy#1647), and touches a socket that may be gone. It only ever sees an UpstreamHead, made by us.
 * - It notices a client that left by an event that Node no longer emits, and leaks the upstream request (#1559): the
 *   UpstreamHead emits that event when the request is given up.
 * - It announces `content-length: 0` on a DELETE or OPTIONS with a chunked body and sends the body after it, as a second,
 *   unauthenticated request (GHSA-ggv3-7p47-pfv8): an UpstreamHead is a POST, or it announces no body and is sent none.
 */
export function createHttpForward(target: UpstreamTarget, tls: UpstreamTls): HttpForward {
  const agentOptions = { keepAlive: true, noDelay: true, maxSockets: MAX_SOCKETS, maxFreeSockets: MAX_FREE_SOCKETS };
  const agent = target.secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions);
  const proxy = httpProxy.createProxyServer({
    agent,
    selfHandleResponse: true,
    toProxy: true, // the path is one of our routes: take it as it is
    target: {
      protocol: target.secure ? 'https:' : 'http:',
      host: target.host,
      hostname: target.host,
      port: target.port,
      ...(tls.ca ? { ca: tls.ca } : {}),
      ...(tls.cert ? { cert: tls.cert } : {}),
      ...(tls.key ? { key: tls.key } : {}),
    } as httpProxy.ServerOptions['target'] & object,
  });
  proxy.on('proxyRes', (response, head) => {
    if (head instanceof UpstreamHead) head.answered(response);
  });

  return {
    send(request, events) {
      const head = new UpstreamHead(request, authority(target), events);
      proxy.web(
        asIncoming(head),
        NO_RESPONSE,
        { buffer: head.method === 'POST' ? request.body : Readable.from([]) },
        (error) => head.failed(error),
      );
      return () => head.giveUp();
    },
    close() {
      agent.maxFreeSockets = 0;
      for (const free of Object.values(agent.freeSockets)) for (const socket of free ?? []) socket.destroy();
    },
  };
}

/** All that http-proxy gets to see of a request. */
class UpstreamHead extends EventEmitter {
  readonly method: ForwardMethod;
  readonly url: string;
  readonly headers: Record<string, string | string[]>;
  /** http-proxy asks whether the client's socket is destroyed. */
  readonly socket = { destroyed: false };
  #events: ForwardEvents | undefined;

  constructor({ method, path, fields }: ForwardRequest, host: string, events: ForwardEvents) {
    super();
    this.method = method;
    this.url = path;
    this.headers = toHeaders(fields, host);
    if (method !== 'POST') delete this.headers['content-length'];
    this.#events = events;
  }

  answered(response: http.IncomingMessage): void {
    const events = this.#events;
    if (events) events.onResponse(response);
    else response.destroy();
  }

  failed(error: NodeJS.ErrnoException): void {
    const events = this.#events;
    this.#events = undefined;
    events?.onError(error);
  }

  giveUp(): void {
    this.#events = undefined;
    this.emit('aborted');
  }
}

function toHeaders(fields: ForwardRequest['fields'], host: string): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null); // a field may be called "constructor"
  headers['host'] = host;
  for (const [name, value] of fields) {
    const earlier = headers[name];
    headers[name] = earlier === undefined ? value : [earlier, value].flat();
  }
  return headers;
}

/** http-proxy is typed for the server's own request and response; it uses of them what an UpstreamHead has. */
function asIncoming(head: UpstreamHead): http.IncomingMessage {
  return head as unknown as http.IncomingMessage;
}
const NO_RESPONSE = { finished: false } as http.ServerResponse;
