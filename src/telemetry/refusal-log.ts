import type { RequestReport } from '../plane/plane.ts';
import { REASONS } from '../verdict/reasons.ts';
import type { Log } from './log.ts';

/** A flood of refusals must not fill a disk: so many lines a second, and one that says how many were left out. */
const MAX_LINES_PER_SECOND = 50;

export type ReportLog = (report: RequestReport) => void;

/** Logs one line for each refusal at a bounded rate. Accepted and cancelled requests are lines of level debug. */
export function createReportLog(log: Log, now: () => number): ReportLog {
  let second = 0;
  let written = 0;
  let dropped = 0;
  const writesAll = log.isEnabled?.('debug') ?? true; // or else nothing is made of a request that was not refused

  return (report) => {
    const { outcome } = report;
    if (outcome === 'accepted' || outcome === 'cancelled') {
      if (writesAll) write('debug', report);
      return;
    }
    const thisSecond = Math.floor(now() / 1_000);
    if (thisSecond !== second) {
      if (dropped > 0) log('warn', 'refusals were left out of the log', { dropped });
      second = thisSecond;
      written = 0;
      dropped = 0;
    }
    if (written >= MAX_LINES_PER_SECOND) {
      dropped += 1;
      return;
    }
    written += 1;
    write(REASONS[outcome].verdict === 'undecided' ? 'warn' : 'info', report);
  };

  function write(level: 'debug' | 'info' | 'warn', report: RequestReport): void {
    const isRefusal = report.outcome !== 'accepted' && report.outcome !== 'cancelled';
    log(level, isRefusal ? 'request refused' : `request ${report.outcome}`, {
      request_id: report.requestId,
      ...(isRefusal ? { reason: report.outcome } : {}),
      protocol: report.protocol,
      route: report.route,
      signal: report.signal,
      peer: report.peer,
      user_agent: report.userAgent,
      key_id: report.key?.id,
      key_name: report.key?.name,
      fingerprint: report.fingerprint,
      upstream_status: report.upstreamStatus,
      bytes: report.receivedBytes,
    });
  }
}
