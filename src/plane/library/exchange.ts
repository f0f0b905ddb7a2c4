import { randomUUID } from 'node:crypto';
import type { RawFields } from '../../credential/read.ts';
import type { Judgement } from '../../gate.ts';
import type { KeyRecord, Signal } from '../../keys/record.ts';
import type { Route } from '../../verdict/decide.ts';
import type { PlaneObserver, Port, RequestReport } from '../plane.ts';
import { traceIdIn } from '../trace-context.ts';

/** One request from its head to its end: gathers what the report needs, and sees to it that it is told exactly once. */
export interface Exchange {
  readonly requestId: string;
  receivedBytes: number;
  sentBytes: number;
  judged(judgement: Judgement): void;
  upstreamStarted(): void;
  upstreamAnswered(status: number): void;
  /** What to do if the gateway ends before the request does; replaced as the request goes on. */
  onInterrupt: () => void;
  /** Returns false if the exchange had ended before: then nothing may be sent any more. */
  end(outcome: RequestReport['outcome']): boolean;
  readonly ended: boolean;
}

export interface ExchangeStart {
  readonly protocol: Port;
  readonly route: Route | undefined;
  readonly signal: Signal | undefined;
  readonly peer: string;
  readonly userAgent: string | undefined;
  /** As they came. */
  readonly fields: RawFields;
}

/** The requests under way. */
export interface Exchanges {
  begin(start: ExchangeStart): Exchange;
  /** For a gateway that can wait no longer: each request is given up in the way that it said itself. */
  interrupt(): void;
}

export function createExchanges(observer: PlaneObserver): Exchanges {
  const underWay = new Set<Exchange>();
  return {
    begin(start) {
      observer.started(start.protocol);
      const exchange = startExchange(start, (report) => {
        underWay.delete(exchange);
        observer.ended(report);
      });
      underWay.add(exchange);
      return exchange;
    },
    interrupt() {
      for (const exchange of underWay) exchange.onInterrupt();
    },
  };
}

const now = (): number => performance.now();

function startExchange({ fields, ...start }: ExchangeStart, onEnded: (report: RequestReport) => void): Exchange {
  const requestId = randomUUID();
  const startedAt = now();
  let decidedAt: number | undefined;
  let sentUpAt: number | undefined;
  let answeredAt: number | undefined;
  let upstreamStatus: number | undefined;
  let key: KeyRecord | undefined;
  let fingerprint: string | undefined;
  let ended = false;

  return {
    requestId,
    receivedBytes: 0,
    sentBytes: 0,
    onInterrupt: () => {},
    get ended() {
      return ended;
    },
    judged(judgement) {
      decidedAt = now();
      key = judgement.decision.key;
      fingerprint = judgement.fingerprint;
    },
    upstreamStarted() {
      sentUpAt = now();
    },
    upstreamAnswered(status) {
      answeredAt = now();
      upstreamStatus = status;
    },
    end(outcome) {
      if (ended) return false;
      ended = true;
      onEnded({
        ...start,
        requestId,
        get traceId() {
          return traceIdIn(fields);
        },
        outcome,
        upstreamStatus,
        key,
        fingerprint,
        receivedBytes: this.receivedBytes,
        sentBytes: this.sentBytes,
        decisionSeconds: seconds(startedAt, decidedAt ?? startedAt),
        upstreamSeconds: sentUpAt === undefined ? undefined : seconds(sentUpAt, answeredAt ?? now()),
      });
      return true;
    },
  };
}

function seconds(fromMs: number, toMs: number): number {
  return (toMs - fromMs) / 1_000;
}
