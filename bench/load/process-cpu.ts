/**
 * CPU time of a process with all its threads and children, from the scheduler's
 * own accounting: nanoseconds actually run, where `utime` counts ticks of 10 ms.
 */
import { readFileSync, readdirSync } from 'node:fs';

const NS_PER_US = 1000;
const US_PER_TICK = 10_000;
const BYTES_PER_KIB = 1024;

/** Microseconds of CPU used so far by `pid` and all that descends from it; Linux only. */
export function cpuUs(pid: number): number {
  return [pid, ...descendants(pid)].reduce((sum, each) => sum + ownCpuUs(each), 0);
}

/** Resident memory of `pid` and all that descends from it; pages shared by several count for each. */
export function rssBytes(pid: number): number {
  return [pid, ...descendants(pid)].reduce((sum, each) => sum + Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${each}/status`, 'latin1'))?.[1] ?? 0) * BYTES_PER_KIB, 0);
}

/** Microseconds that `core` has been busy, with whatever; NaN where the system does not say. */
export function coreBusyUs(core: number): number {
  try {
    const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? '';
    const [user, nice, system, , , irq, softirq, steal] = line.split(' ').map(Number);
    return (user! + nice! + system! + irq! + softirq! + steal!) * US_PER_TICK;
  } catch {
    return Number.NaN;
  }
}

export function cpuReadable(): boolean {
  try {
    return ownCpuUs(process.pid) > 0;
  } catch {
    return false;
  }
}

function ownCpuUs(pid: number): number {
  try {
    let ns = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
    return ns / NS_PER_US;
  } catch {
    return tickCpuUs(pid);
  }
}

/** For kernels without scheduler statistics: user and system time in ticks. */
function tickCpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The command may hold spaces; fields count from behind its closing parenthesis (proc(5): 14 utime, 15 stime).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

function descendants(pid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), Number(entry)]);
    } catch {
      // Gone between the listing and the reading.
    }
  }
  const found: number[] = [];
  for (const next of [pid]) collect(next, childrenOf, found);
  return found;
}

function collect(pid: number, childrenOf: ReadonlyMap<number, readonly number[]>, found: number[]): void {
  for (const child of childrenOf.get(pid) ?? []) {
    found.push(child);
    collect(child, childrenOf, found);
  }
}
