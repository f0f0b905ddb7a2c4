import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Port, RequestReport } from '../plane/plane.ts';
import { REASONS } from '../verdict/reasons.ts';
import { perKey, talliedCounter, talliedHistogram } from './tally.ts';

/** Seconds: a decision from memory takes microseconds, one that asks the store up to 150 ms. */
const DECISION_BUCKETS = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.15, 0.25,
];
const UPSTREAM_BUCKETS = [1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

type CarriedSignal = NonNullable<RequestReport['signal' | 'route']> | 'none';

/** Requests by how they ended, how much they carried and how long they took. */
export function createRequestMetrics(registers: Registry[]) {
  const requests = talliedCounter({
    name: 'keygate_requests_total',
    help: 'Requests by how they ended. verdict is allow, deny, undecided or cancelled; reason is "none" unless refused.',
    labelNames: ['signal', 'protocol', 'verdict', 'reason'],
    registers,
  });
  const requestBytes = talliedCounter({
    name: 'keygate_request_bytes_total',
    help: 'Bytes of request bodies taken from senders, as sent.',
    labelNames: ['signal', 'protocol'],
    registers,
  });
  const responseBytes = talliedCounter({
    name: 'keygate_response_bytes_total',
    help: 'Bytes of response bodies relayed from the collector.',
    labelNames: ['signal', 'protocol'],
    registers,
  });
  const tallies: { readonly protocol: Port; inFlight: number }[] = [];
  new Gauge({
    name: 'keygate_requests_in_flight',
    help: 'Requests that have begun and not ended.',
    labelNames: ['protocol'],
    registers,
    collect() {
      for (const { protocol, inFlight } of tallies) this.set({ protocol }, inFlight);
    },
  });
  const decision = talliedHistogram({
    name: 'keygate_decision_seconds',
    help: 'Time from the head of a request to its verdict.',
    labelNames: ['protocol'],
    buckets: DECISION_BUCKETS,
    registers,
  });
  const upstream = talliedHistogram({
    name: 'keygate_upstream_seconds',
    help: 'Time from sending a request on to the answer of the collector.',
    labelNames: ['protocol'],
    buckets: UPSTREAM_BUCKETS,
    registers,
  });

  const ofProtocol = perKey((protocol: Port) => {
    const tally = {
      protocol,
      inFlight: 0,
      decision: decision({ protocol }),
      upstream: upstream({ protocol }),
      ofSignal: perKey((signal: CarriedSignal) => ({
        received: requestBytes({ signal, protocol }),
        sent: responseBytes({ signal, protocol }),
        ofOutcome: perKey((outcome: RequestReport['outcome']) => requests({ signal, protocol, ...toLabels(outcome) })),
      })),
    };
    tallies.push(tally);
    return tally;
  });

  return {
    started(protocol: Port): void {
      ofProtocol(protocol).inFlight++;
    },
    ended(report: RequestReport): void {
      const tally = ofProtocol(report.protocol);
      tally.inFlight--;
      tally.decision.observe(report.decisionSeconds);
      if (report.upstreamSeconds !== undefined) tally.upstream.observe(report.upstreamSeconds);
      // A route without signals stands for what it carries.
      const { received, sent, ofOutcome } = tally.ofSignal(report.signal ?? report.route ?? 'none');
      received.count += report.receivedBytes;
      sent.count += report.sentBytes;
      ofOutcome(report.outcome).count++;
    },
  };
}

function toLabels(outcome: RequestReport['outcome']): { verdict: string; reason: string } {
  switch (outcome) {
    case 'accepted':
      return { verdict: 'allow', reason: 'none' };
    case 'cancelled':
      return { verdict: 'cancelled', reason: 'none' };
    default:
      return { verdict: REASONS[outcome].verdict, reason: outcome };
  }
}
