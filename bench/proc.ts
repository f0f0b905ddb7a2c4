import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the kernel knows of processes (proc(5)). */

/** USER_HZ: the same on every Linux that Node runs on. */
const TICK_MS = 10;
const MIB = 1 << 20;

/** TCP_ESTABLISHED, in /proc/net/tcp. */
const ESTABLISHED = '01';

export interface Usage {
  readonly cpuMs: number;
  readonly rssMib: number;
}

export interface ProcessUsage extends Usage {
  readonly pid: number;
  /** Without what comes from files, such as the program: that is in memory once for all that run it. */
  readonly ownMib: number;
}

/** Of a process and of those it has started: nginx works in a child. */
export function usageOf(pid: number): Usage {
  const each = usageOfEach(pid);
  return {
    cpuMs: each.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    rssMib: each.reduce((sum, { rssMib }) => sum + rssMib, 0),
  };
}

/** The process itself comes first. */
export function usageOfEach(pid: number): ProcessUsage[] {
  return withChildren(pid).map((each) => ({
    pid: each,
    cpuMs: cpuMsOf(each),
    rssMib: statusOf(each, 'VmRSS') / MIB,
    ownMib: statusOf(each, 'RssAnon') / MIB,
  }));
}

/** How many connections to this port of 127.0.0.1 a process serves. */
export function connectionsOf(pid: number, port: number): number {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = new Set<string>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (local === address && state === ESTABLISHED) sockets.add(`socket:[${inode}]`);
  }
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => sockets.has(targetOf(`/proc/${pid}/fd/${fd}`))).length;
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // it was closed meanwhile
  }
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

function statusOf(pid: number, name: 'VmRSS' | 'VmHWM' | 'RssAnon'): number {
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
