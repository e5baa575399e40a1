/**
 * All deadlines of a worker on one coarse timer. A deadline is an integer tick
 * on its holder: moving it later, which every request does, is one store; only
 * moving it earlier files it again. Exact to one tick (TICK_MS).
 */
export const TICK_MS = 100;
const SLOTS = 1024;

export abstract class Deadline {
  /** Tick at which `onDeadline` is called; 0: never. */
  deadlineTick = 0;
  /** Tick of the slot this is filed under; 0: none. Entries left in other slots are stale. */
  filedTick = 0;
  /** Called once, with the deadline cleared. */
  abstract onDeadline(): void;
}

export class TimerWheel {
  /** Ticks since start; begins at 1 so that 0 can mean never. */
  now = 1;
  readonly #slots: Deadline[][] = Array.from({ length: SLOTS }, () => []);

  /** Calls `holder.onDeadline` after `delayMs`, rounded up to a tick; 0 means no limit. Replaces the former deadline. */
  set(holder: Deadline, delayMs: number): void {
    if (delayMs === 0) {
      holder.deadlineTick = 0;
      return;
    }
    // One tick more: the current one is partly over.
    this.setTick(holder, this.now + Math.ceil(delayMs / TICK_MS) + 1);
  }

  setTick(holder: Deadline, tick: number): void {
    holder.deadlineTick = tick;
    if (holder.filedTick === 0 || tick < holder.filedTick) this.#file(holder, tick);
  }

  clear(holder: Deadline): void {
    holder.deadlineTick = 0;
  }

  /** One tick on. Called by the owner's coarse timer; after a stall, as often as ticks were missed. */
  advance(): void {
    const tick = ++this.now;
    const slot = this.#slots[tick % SLOTS]!;
    if (slot.length === 0) return;
    this.#slots[tick % SLOTS] = [];
    for (const holder of slot) {
      if (holder.filedTick !== tick) continue;
      holder.filedTick = 0;
      if (holder.deadlineTick === 0) continue;
      if (holder.deadlineTick > tick) this.#file(holder, holder.deadlineTick);
      else {
        holder.deadlineTick = 0;
        holder.onDeadline();
      }
    }
  }

  #file(holder: Deadline, tick: number): void {
    const filedTick = Math.min(tick, this.now + SLOTS - 1);
    holder.filedTick = filedTick;
    this.#slots[filedTick % SLOTS]!.push(holder);
  }
}
