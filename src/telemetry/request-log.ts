import type { LogLevel } from '../log-levels.ts';
import type { RequestReport } from '../plane/plane.ts';
import { MAX_USER_AGENT } from '../traffic/refused-sources.ts';
import type { Refused } from '../traffic/refused-sources.ts';
import { REASONS } from '../verdict/reasons.ts';
import { createBoundedLog, LogWindow, shareOfLines } from './bounded-log.ts';
import type { LineBound } from './bounded-log.ts';
import type { Log } from './log.ts';
import { SourceLines } from './source-lines.ts';

/** Of accepted requests, and of those whose sender left, so many are lines in a window, however much somebody wants to see. */
export const MAX_REQUEST_LINES = 500;

export interface RequestLogOptions {
  readonly log: Log;
  /** One accepted request of so many is a line of level info; 0: none. */
  readonly acceptedEvery: number;
  /** How many processes of this gateway write such lines: this one has its share of all bounds. */
  readonly processes: number;
  /** Hears of lines that were left out, and why. */
  readonly dropped: (bound: LineBound, lines: number) => void;
}

export interface RequestLog {
  /** Each request when it has ended; `refused` says whose it was, if it was refused. On the way of all of them. */
  note(report: RequestReport, refused: Refused | undefined): void;
  /** Ends the window early: tells what was left out, and lets lines be written again. */
  turn(): void;
}

/**
 * A line for each refusal, as far as a flood of them cannot fill a disk: each source has some lines in a window, and all have
 * together; what is left out is told in one line for each source, and counted. Sources that worked lately have lines of their
 * own, so that the one who will call is not lost among strangers. Accepted and cancelled requests are lines of level debug.
 */
export function createRequestLog({ log, acceptedEvery, processes, dropped }: RequestLogOptions): RequestLog {
  const isEnabled = (level: LogLevel): boolean => log.isEnabled?.(level) ?? true;
  const [ofWorking, ofOthers] = [new SourceLines(processes), new SourceLines(processes)];
  const passing = createBoundedLog({
    log,
    linesOfMessage: shareOfLines(MAX_REQUEST_LINES, processes),
    dropped: (lines) => dropped('requests', lines),
  });
  const window = new LogWindow(() => {
    tellLeftOut(ofWorking);
    tellLeftOut(ofOthers);
  });
  let unsampled = 0;

  function noteRefused(report: RequestReport, refused: Refused): void {
    const level = REASONS[refused.who.reason].verdict === 'undecided' ? 'warn' : 'info';
    if (!isEnabled(level)) return;
    window.open();
    const taken = (refused.hasWorked ? ofWorking : ofOthers).take(refused);
    if (taken === 'line') log(level, 'request refused', fieldsOf(report, refused));
    else dropped(taken, 1);
  }

  function notePassed(report: RequestReport): void {
    if (report.outcome === 'accepted' && acceptedEvery > 0 && ++unsampled >= acceptedEvery) {
      unsampled = 0;
      passing('info', 'request accepted', fieldsOf(report));
    } else if (isEnabled('debug')) {
      passing('debug', report.outcome === 'accepted' ? 'request accepted' : 'request cancelled', fieldsOf(report));
    }
  }

  function tellLeftOut(sources: SourceLines): void {
    const { heaviest, others } = sources.turn();
    for (const { who, lines } of heaviest) {
      const { reason, peer, userAgent, keyId, keyName, fingerprint } = who;
      const whose = { reason, peer, user_agent: userAgent, key_id: keyId, key_name: keyName, fingerprint };
      log('info', 'refusals of one source were left out of the log', { ...whose, dropped: lines });
    }
    if (others > 0) log('info', 'refusals of other sources were left out of the log', { dropped: others });
  }

  return {
    note: (report, refused) => (refused === undefined ? notePassed(report) : noteRefused(report, refused)),
    turn() {
      window.turn();
      passing.turn();
    },
  };
}

/** Made only for a line that is written: what the report has to look up costs nothing otherwise. */
function fieldsOf(report: RequestReport, refused?: Refused) {
  return {
    request_id: report.requestId,
    trace_id: report.traceId,
    reason: refused?.who.reason,
    worked: refused?.hasWorked === true ? true : undefined,
    protocol: report.protocol,
    route: report.route,
    signal: report.signal,
    peer: report.peer,
    user_agent: report.userAgent?.slice(0, MAX_USER_AGENT),
    key_id: report.key?.id,
    key_name: report.key?.name,
    fingerprint: report.fingerprint,
    upstream_status: report.upstreamStatus,
    upstream_ms: report.upstreamSeconds === undefined ? undefined : Math.round(report.upstreamSeconds * 1e5) / 100,
    bytes: report.receivedBytes,
  };
}
