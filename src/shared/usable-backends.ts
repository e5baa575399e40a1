/**
 * Which backends of a pool take new work, as a pure function, so that what the
 * workers do and what the control plane shows is one rule.
 *
 * From priority 0 up: a priority with `panicShare` of its ready weight usable
 * serves alone, else the next joins it. If none has that share, the pool
 * panics: every ready backend of every priority serves, whatever its verdict,
 * ejected or not; so a pool whose probes lie, or whose survivors would drown,
 * goes on. A share of 0 never panics and moves on when nothing is left.
 *
 * A weight of 0 takes nothing new, in a panic neither. A pool without any
 * ready backend serves nothing and does not count as panicking: there is
 * nothing to panic with.
 */
import type { Verdict } from './backend-table.ts';
import type { BackendState } from './snapshot.ts';

export interface Standing {
  readonly state: BackendState;
  /** 0 to 1000. */
  readonly weight: number;
  readonly verdict: Verdict;
  readonly ejected: boolean;
  /** 0 is used first. */
  readonly priority: number;
  /** Its role pool serves another: not even a panic takes it. */
  readonly withdrawn?: boolean;
}

export interface Serving {
  /** Indexes into the backends given, by priority and then in the order given. */
  readonly indexes: readonly number[];
  readonly panic: boolean;
}

/** Ready, weighted, up, neither ejected nor withdrawn. */
export function isUsable(backend: Standing): boolean {
  return backend.verdict === 'up' && !backend.ejected && isReady(backend);
}

export function servingBackends(backends: readonly Standing[], panicShare: number): Serving {
  const serving: number[] = [];
  for (const indexes of readyByPriority(backends)) {
    let readyWeight = 0;
    let usableWeight = 0;
    for (const index of indexes) {
      const backend = backends[index]!;
      readyWeight += backend.weight;
      if (!isUsable(backend)) continue;
      usableWeight += backend.weight;
      serving.push(index);
    }
    if (usableWeight > 0 && holdsShare(usableWeight, readyWeight, panicShare)) return { indexes: serving, panic: false };
  }
  if (panicShare === 0) return { indexes: serving, panic: false };
  const ready = readyByPriority(backends).flat();
  return { indexes: ready, panic: ready.length > 0 };
}

function isReady(backend: Standing): boolean {
  return backend.state === 'ready' && backend.weight > 0 && backend.withdrawn !== true;
}

/** Shares are written in percent, so 55 % of 20 must not become 11.000000000000002. */
function holdsShare(part: number, whole: number, share: number): boolean {
  return part >= whole * share * (1 - 1e-12);
}

function readyByPriority(backends: readonly Standing[]): number[][] {
  const groups = new Map<number, number[]>();
  for (let index = 0; index < backends.length; index++) {
    const backend = backends[index]!;
    if (!isReady(backend)) continue;
    const group = groups.get(backend.priority);
    if (group === undefined) groups.set(backend.priority, [index]);
    else group.push(index);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, indexes]) => indexes);
}
