/** Pools that somebody looks at now, in the memory store, each until a tier time. Held by tier-state.ts. */
const WATCHED_MAX = 20;

export class WatchedPools {
  #untilMs = new Map<string, number>();

  copy(): WatchedPools {
    const copy = new WatchedPools();
    copy.#untilMs = new Map(this.#untilMs);
    return copy;
  }

  /** Of too many the one that would have ended first makes room: the last who looked is served. */
  watch(pool: string, forMs: number, nowMs: number): void {
    this.#untilMs.set(pool, Math.max(this.#untilMs.get(pool) ?? 0, nowMs + forMs));
    this.#forgetEnded(nowMs);
    if (this.#untilMs.size <= WATCHED_MAX) return;
    const others = [...this.#untilMs].filter(([other]) => other !== pool);
    const [soonest] = others.reduce((a, b) => (b[1] < a[1] ? b : a));
    this.#untilMs.delete(soonest);
  }

  names(nowMs: number): string[] {
    this.#forgetEnded(nowMs);
    return [...this.#untilMs.keys()].sort();
  }

  #forgetEnded(nowMs: number): void {
    for (const [pool, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(pool);
  }
}
