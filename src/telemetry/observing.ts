import type { PlaneObserver } from '../plane/plane.ts';
import { createTraffic } from '../traffic/traffic.ts';
import type { Traffic } from '../traffic/traffic.ts';
import { createBoundedLog, shareOfLines } from './bounded-log.ts';
import type { BoundedLog } from './bounded-log.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { turnedAwayObserver } from './observers.ts';
import { createRequestLog } from './request-log.ts';

export interface ObservingOptions {
  readonly metrics: Metrics;
  /** Notes what each key sends. */
  readonly noteKey: PlaneObserver['ended'];
  readonly log: Log;
  readonly now: () => number;
  /** One accepted request of so many is a line in the log; 0: none. */
  readonly acceptedEvery: number;
  /** How many processes serve the same senders, each with its share of the lines: 1, if absent. */
  readonly processes?: number;
}

/** All that is told of requests: to Prometheus, to whoever watches now, and to the log. */
export interface Observing {
  readonly plane: PlaneObserver;
  readonly traffic: Traffic;
  /** For lines that may come as fast as requests do. */
  readonly log: Log;
  /** Says what was left out of the log and not told yet. */
  close(): void;
}

/** So many lines of one message in a window, where each request may bring one: the tenth says no more than the ninth. */
export const LINES_OF_MESSAGE = 10;

/** For messages about which nobody needs to hear again and again. */
export function createRepeatedLog(log: Log, metrics: Metrics, processes = 1): BoundedLog {
  const dropped = (lines: number): void => metrics.linesDropped('repeated', lines);
  return createBoundedLog({ log, linesOfMessage: shareOfLines(LINES_OF_MESSAGE, processes), dropped });
}

export function createObserving(options: ObservingOptions): Observing {
  const { metrics, noteKey, log, now, acceptedEvery, processes = 1 } = options;
  const traffic = createTraffic(now, processes > 1);
  const requestLog = createRequestLog({ log, acceptedEvery, processes, dropped: metrics.linesDropped });
  const repeatedLog = createRepeatedLog(log, metrics, processes);
  return {
    plane: {
      started: metrics.started,
      connections: metrics.connections,
      turnedAway: turnedAwayObserver(metrics, repeatedLog),
      ended(report) {
        metrics.ended(report);
        const refused = traffic.note(report);
        noteKey(report);
        requestLog.note(report, refused);
      },
    },
    traffic,
    log: repeatedLog,
    close() {
      requestLog.turn();
      repeatedLog.turn();
    },
  };
}
