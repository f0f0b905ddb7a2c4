import { markdownTable } from '../support/process-usage.ts';
import type { Account, Ledger, Phase } from './ledger.ts';

/** From the ledger to what is printed, and to what fails. */

/** What p99 may grow to while gateways are restarted. */
const GOAL_P99_GROWTH = 3;

function durationOf(phases: readonly Phase[]): number {
  return phases.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
}

export function rateOf(ledger: Ledger, phases: readonly Phase[]): number {
  const sent = ledger.clients.reduce((sum, client) => sum + ledger.account(client, phases).sent, 0);
  return (sent * 1_000) / durationOf(phases);
}

export interface Parts {
  readonly before: readonly Phase[];
  readonly during: readonly Phase[];
  readonly after: readonly Phase[];
}

/** What became of all batches, and how long they took; with the goal for the time between. */
export function renderParts(ledger: Ledger, { before, during, after }: Parts): string {
  const head = [
    'Sender',
    'Batches',
    'Lost',
    'Duplicated',
    'Disowned',
    'Delayed',
    'p50 / p99 before, ms',
    'during',
    'after',
    'Goal',
  ];
  const rows = clientsIn(ledger, [...before, ...during, ...after]).map((client) => {
    const all = ledger.account(client, [...before, ...during, ...after]);
    const [first, second, third] = [before, during, after].map((phases) => ledger.account(client, phases));
    const growth = (second?.p99Ms ?? Number.NaN) / (first?.p99Ms ?? Number.NaN);
    return [
      client,
      ...countsOf(all),
      timesOf(first),
      timesOf(second),
      timesOf(third),
      `${growth.toFixed(1)}x: ${growth < GOAL_P99_GROWTH ? 'met' : 'MISSED'}`,
    ];
  });
  return `${markdownTable(head, rows)}\n${causesOf(ledger, [...before, ...during, ...after])}`;
}

export function renderReloads(ledger: Ledger, phases: readonly Phase[]): string {
  const head = ['Sender', 'Batches', 'Lost', 'Duplicated', 'Disowned', 'Delayed', 'p50 / p99, ms'];
  const rows = clientsIn(ledger, phases).map((client) => {
    const account = ledger.account(client, phases);
    return [client, ...countsOf(account), timesOf(account)];
  });
  return `${markdownTable(head, rows)}\n${causesOf(ledger, phases)}`;
}

/** While there is nobody behind the gateways. */
export function renderOutage(ledger: Ledger, phases: readonly Phase[]): string {
  const head = ['Sender', 'Batches', 'Lost', 'Duplicated', 'Disowned', 'Delayed', 'Told to retry, and did not'];
  const rows = clientsIn(ledger, phases).map((client) => {
    const account = ledger.account(client, phases, true);
    return [client, ...countsOf(account), String(account.kept)];
  });
  return `${markdownTable(head, rows)}\n${causesOf(ledger, phases, true)}`;
}

/** Those that sent anything. */
function clientsIn(ledger: Ledger, phases: readonly Phase[]): string[] {
  return ledger.clients.filter((client) => ledger.account(client, phases).sent > 0).toSorted();
}

function countsOf({ sent, lost, duplicated, disowned, delayed }: Account): string[] {
  return [sent, lost, duplicated, disowned, delayed].map(String);
}

function timesOf(account: Account | undefined): string {
  return account === undefined ? '' : `${account.p50Ms.toFixed(1)} / ${account.p99Ms.toFixed(1)}`;
}

function causesOf(ledger: Ledger, phases: readonly Phase[], mayBeKept = false): string {
  const lines = ledger.clients.flatMap((client) =>
    Array.from(
      ledger.account(client, phases, mayBeKept).causes,
      ([why, count]) => `  ${client}: ${count} times "${why}"`,
    ),
  );
  return lines.length === 0 ? '' : `What senders heard of those:\n${lines.join('\n')}\n`;
}

/** All that must not be, one sentence each. */
export function faultsOf(ledger: Ledger, phases: readonly Phase[], mayBeKept = false): string[] {
  const where = phases.map(({ name }) => name).join(', ');
  return ledger.clients.flatMap((client) => {
    const account = ledger.account(client, phases, mayBeKept);
    return (['lost', 'duplicated', 'disowned'] as const)
      .filter((what) => account[what] > 0)
      .map((what) => `${where}: ${account[what]} batches of ${client} are ${what}`);
  });
}
