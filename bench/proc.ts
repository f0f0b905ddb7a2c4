import { readFileSync } from 'node:fs';

/** What the kernel knows of processes (proc(5)). */

/** USER_HZ: the same on every Linux that Node runs on. */
const TICK_MS = 10;
const MIB = 1 << 20;

export interface Usage {
  readonly cpuMs: number;
  readonly rssMib: number;
}

/** Of a process and of those it has started: nginx works in a child. */
export function usageOf(pid: number): Usage {
  const pids = withChildren(pid);
  return {
    cpuMs: pids.reduce((sum, each) => sum + cpuMsOf(each), 0),
    rssMib: pids.reduce((sum, each) => sum + statusOf(each, 'VmRSS'), 0) / MIB,
  };
}

/** The most memory that each of them has held so far, added up. */
export function peakMibOf(pid: number): number {
  return withChildren(pid).reduce((sum, each) => sum + statusOf(each, 'VmHWM'), 0) / MIB;
}

function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(withChildren)];
}

function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may contain anything
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function statusOf(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1_024;
}

/** How long a core has worked so far, for anybody, and not slept. */
export function busyMsOf(core: string): number {
  const line = readFileSync('/proc/stat', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`cpu${core} `));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (line ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) * TICK_MS;
}
