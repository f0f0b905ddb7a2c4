import type { IncomingMessage } from 'node:http';
import type { Credential, Gate, Judgement } from '../../gate.ts';
import { filterResponseFields } from '../../headers.ts';
import type { ToUpstream } from '../../headers.ts';
import type { KeyRecord } from '../../keys/record.ts';
import { toHttpReply } from '../../reply/http.ts';
import type { HttpReply } from '../../reply/http.ts';
import { explain } from '../../reply/refusal.ts';
import type { Refusal, Sending } from '../../verdict/decide.ts';
import type { Reason } from '../../verdict/reasons.ts';
import type { Cors } from '../cors.ts';
import { judgeAtDesk } from '../desk.ts';
import type { PlaneLimits } from '../plane.ts';
import { maxBodyBytes, objectionToBody, ownAnswer, toRefusal, toUse } from '../routes.ts';
import type { HttpMethod, HttpRoute, HttpRoutes } from '../routes.ts';
import { isDistrusted } from '../discarding.ts';
import { LOOK_AGAIN_MS, lookAgain } from '../second-look.ts';
import { answerPreflight, isPreflight, markAnswer } from './cors.ts';
import { discardBody } from './discard.ts';
import type { HttpRequest, HttpResponse } from './edge.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import { bodyLength, framingProblem, isHttp1 } from './framing.ts';
import { exceedsHeaderLimits } from './limits.ts';

export interface HttpRelayOptions {
  readonly gate: Gate;
  readonly routes: HttpRoutes;
  readonly toUpstream: ToUpstream;
  /** Absent: pages of other origins may not send. Read for each request. */
  readonly cors: Cors | undefined;
  /** Hears of the bytes of bodies as they pass. */
  readonly debit: (key: KeyRecord, bytes: number) => void;
  readonly limits: Pick<PlaneLimits, 'maxBodyBytes' | 'maxHeaders' | 'maxHeaderBytes' | 'upstreamTimeoutMs'>;
  readonly exchanges: Exchanges;
}

/** A request, where its answer goes, and what decides how that is written. */
interface Call {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly exchange: Exchange;
  /** Absent: there is none at this path. */
  readonly route: HttpRoute | undefined;
  /** Absent: pages of other origins have no business here. */
  readonly cors: Cors | undefined;
}

/** Where a request goes on to, and what it was let through for. */
interface Onward {
  readonly method: HttpMethod;
  readonly target: string;
  readonly forward: HttpRoute['forward'];
  readonly credential: Credential;
  readonly sending: Sending;
}

export type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

/** Judges a request over HTTP by its head and relays its bytes, or answers it in its own encoding. */
export function createHttpRelay(options: HttpRelayOptions): HttpHandler {
  const { gate, routes, toUpstream, debit, limits, exchanges } = options;

  return function handle(request, response) {
    const { route, target, keys } = routes(request.url ?? '');
    const method = route?.methods.find((each) => each === request.method);
    const objection = objectionToHead(request, route, method);
    const cors = route?.forPages === false ? undefined : options.cors;
    if (cors !== undefined) markAnswer(cors, request, response);
    if (objection === 'method_not_allowed' && route !== undefined && cors !== undefined && isPreflight(cors, request))
      return answerPreflight(cors, request, response, route.methods);

    const peer = request.socket.remoteAddress ?? '';
    const { origin, 'user-agent': userAgent } = request.headers;
    const signal = route?.signal;
    const { rawHeaders: fields } = request;
    const exchange = exchanges.begin({ protocol: 'http', route: route?.name, signal, peer, userAgent, fields });
    const call: Call = { request, response, exchange, route, cors };
    exchange.onInterrupt = () => refuse(call, because('draining'));
    response.on('close', () => exchange.end('cancelled')); // the last to speak: a no-op unless the client left first
    if (objection !== undefined || route === undefined || method === undefined) {
      return refuse(call, toRefusal(objection ?? 'not_found', route));
    }
    const credential = gate.read(keys.length === 0 ? fields : [...fields, ...keys]);
    const isNotForPages = !route.forPages;
    const sending: Sending = { to: 'send', signal, route: route.name, isNotForPages, peer, origin };
    const proceed = (judgement: Judgement): void => {
      exchange.judged(judgement);
      const { decision } = judgement;
      if (decision.verdict === 'refuse') return refuse(call, decision);
      if (exchange.ended) return;
      const own = ownAnswer(route, decision.key, exchange);
      if (own !== undefined) answerHere(call, own);
      else relay(call, { method, target, forward: route.forward, credential, sending }, decision.key);
    };
    const conclude = (judgement: Judgement | Promise<Judgement>): void => {
      if (judgement instanceof Promise) void judgement.then(proceed);
      else proceed(judgement);
    };
    const { desk } = route;
    if (desk === undefined) conclude(gate.judgeCredential(credential, toUse(route, sending)));
    else takeWhole(call, (body) => conclude(judgeAtDesk(gate, desk, body, sending)));
  };

  /** A body in which the key stands. */
  function takeWhole(call: Call, then: (body: Buffer) => void): void {
    const { request, response, exchange, route } = call;
    if (expectsContinue(request)) response.writeContinue();
    const pieces: Buffer[] = [];
    request.on('data', (chunk: Buffer) => {
      exchange.receivedBytes += chunk.length;
      if (exchange.ended) return;
      if (exchange.receivedBytes <= maxBodyBytes(route, limits)) pieces.push(chunk);
      else refuse(call, because('body_too_large'));
    });
    request.on('end', () => {
      if (!exchange.ended) then(Buffer.concat(pieces));
    });
  }

  function objectionToHead(
    request: HttpRequest,
    route: HttpRoute | undefined,
    method: HttpMethod | undefined,
  ): Reason | undefined {
    if (exceedsHeaderLimits(request.rawHeaders, limits)) return 'header_limits';
    const problem = framingProblem(request);
    if (problem !== undefined) return problem;
    if (route === undefined || route.unset !== undefined) return 'not_found';
    if (method === undefined) return 'method_not_allowed';
    return route.refusal ?? objectionToBody(request, { bodyLength: bodyLength(request) }, route, limits);
  }

  function relay(call: Call, onward: Onward, key: KeyRecord): void {
    const { method, target, forward, credential, sending } = onward;
    const { request, response, exchange, cors } = call;
    if (forward === undefined) return refuse(call, because('upstream_unavailable'));
    if (expectsContinue(request)) response.writeContinue();

    const fields = toUpstream(request.rawHeaders, key);
    const patience = createPatience(limits.upstreamTimeoutMs, () => fail(because('upstream_timeout')));
    let completed = false;
    exchange.upstreamStarted();
    const giveUp = forward.send(
      { method, path: target, fields, body: request },
      {
        onResponse: (upstream) => relayResponse(upstream),
        onError: () => fail(because('upstream_unavailable')),
      },
    );
    request.on('data', (chunk: Buffer) => {
      exchange.receivedBytes += chunk.length;
      if (exchange.ended) return; // refused: the rest is thrown away, and must not break the answer
      patience.renew();
      debit(key, chunk.length);
      if (exchange.receivedBytes > maxBodyBytes(call.route, limits)) fail(because('body_too_large'));
    });
    const looking = setInterval(() => {
      // What the collector has got whole, and has not answered yet, was sent in time.
      if (!request.complete || response.headersSent) lookAgain(gate, { credential, use: sending }, fail);
    }, LOOK_AGAIN_MS).unref();
    response.on('close', () => {
      patience.end();
      clearInterval(looking);
      if (!completed) giveUp(); // the client left, or the collector answered before it had read the request
    });
    request.on('error', giveUp);
    // HTTP/2 also ends the body of a request that was reset; given up first, it cannot look complete to the collector.
    request.on('aborted', giveUp);

    exchange.onInterrupt = () => fail(because('draining'));

    function fail(refusal: Refusal): void {
      patience.end();
      giveUp();
      if (response.headersSent) {
        // Too late for a status: a broken answer tells the sender to retry. Without an error, HTTP/2 would end the stream as
        // if the answer were whole.
        exchange.end(refusal.reason);
        response.destroy(new Error(refusal.reason));
      } else {
        refuse(call, refusal);
      }
    }

    function relayResponse(upstream: IncomingMessage): void {
      if (exchange.ended) return void upstream.destroy();
      const status = upstream.statusCode ?? 502;
      exchange.upstreamAnswered(status);
      response.writeHead(status, toResponseHeaders(upstream, cors, request.headers.origin));
      upstream.on('data', (chunk: Buffer) => {
        patience.renew();
        exchange.sentBytes += chunk.length;
      });
      upstream.on('error', () => fail(because('upstream_unavailable')));
      upstream.on('end', () => {
        patience.end();
        completed = request.complete;
        exchange.end('accepted');
        if (!completed) discardBody(request, () => request.destroy());
      });
      upstream.on('close', () => {
        if (!upstream.complete) fail(because('upstream_unavailable'));
      });
      upstream.pipe(response);
    }
  }
}

/** HTTP/1.0 knows no interim answers, and would take one for the answer (RFC 9110 section 10.1.1). */
/** As Node reads it: behind an answer to a request that it thinks still waits for leave, it ends the connection. */
function expectsContinue({ headers, httpVersion }: HttpRequest): boolean {
  return httpVersion !== '1.0' && /(?:^|\W)100-continue(?:$|\W)/i.test(headers.expect ?? '');
}

function because(reason: Reason): Refusal {
  return { verdict: 'refuse', reason };
}

function refuse(call: Call, refusal: Refusal): void {
  const { request, response, exchange, route } = call;
  if (!exchange.end(refusal.reason) || response.headersSent || response.destroyed) return;
  const reply = toHttpReply(explain(refusal, exchange.requestId), {
    contentType: request.headers['content-type'],
    otherwise: route?.plainRefusals ?? 'text',
    methods: route?.methods ?? [],
  });
  if (isDistrusted(refusal.reason) && isHttp1(request)) response.setHeader('connection', 'close');
  answer(call, reply);
}

/** Instead of a collector. */
function answerHere(call: Call, own: HttpReply): void {
  if (call.exchange.end('accepted') && !call.response.destroyed) answer(call, own);
}

/** In words of our own. */
function answer({ request, response }: Call, { status, headers, body }: HttpReply): void {
  response.writeHead(status, { ...headers });
  response.end(request.method === 'HEAD' ? undefined : body);
  discardBody(request, () => request.destroy());
}

function toResponseHeaders(
  upstream: IncomingMessage,
  cors: Cors | undefined,
  origin: string | undefined,
): Record<string, string[]> {
  const headers: Record<string, string[]> = Object.create(null); // a field may be called "constructor"
  const fields = filterResponseFields(upstream.rawHeaders);
  for (const [name, value] of cors?.mark(fields, origin) ?? fields) (headers[name] ??= []).push(value);
  return headers;
}

/** How long nothing may happen: renewed by every byte that passes. */
function createPatience(timeoutMs: number, onLost: () => void): { renew(): void; end(): void } {
  const timer = setTimeout(onLost, timeoutMs);
  return { renew: () => void timer.refresh(), end: () => clearTimeout(timer) };
}
