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
  /** Tick of the slot this is filed under; 0: none. */
  filedTick = 0;
  /** Neighbours in that slot, a ring; itself while not filed. The wheel's alone. */
  nextFiled: Deadline = this;
  previousFiled: Deadline = this;
  /** Called once, with the deadline cleared. */
  abstract onDeadline(): void;
}

/** Where a slot's ring begins and ends. */
class Slot extends Deadline {
  onDeadline(): void {}
}

export class TimerWheel {
  /** Ticks since start; begins at 1 so that 0 can mean never. */
  now = 1;
  readonly #slots: readonly Slot[] = Array.from({ length: SLOTS }, () => new Slot());

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

  /**
   * The holder is done for good. Filed any longer it would be kept alive until
   * its tick: at a connection per request ten seconds' worth of dead
   * connections, whose collection was a fifth of all time.
   */
  forget(holder: Deadline): void {
    holder.deadlineTick = 0;
    holder.filedTick = 0;
    unlink(holder);
  }

  /** One tick on. Called by the owner's coarse timer; after a stall, as often as ticks were missed. */
  advance(): void {
    const tick = ++this.now;
    const slot = this.#slots[tick % SLOTS]!;
    // Nobody is filed into this slot meanwhile: the farthest is SLOTS - 1 away.
    while (slot.nextFiled !== slot) {
      const holder = slot.nextFiled;
      unlink(holder);
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
    unlink(holder);
    const filedTick = Math.min(tick, this.now + SLOTS - 1);
    holder.filedTick = filedTick;
    const slot = this.#slots[filedTick % SLOTS]!;
    const last = slot.previousFiled;
    holder.previousFiled = last;
    holder.nextFiled = slot;
    last.nextFiled = holder;
    slot.previousFiled = holder;
  }
}

function unlink(holder: Deadline): void {
  holder.previousFiled.nextFiled = holder.nextFiled;
  holder.nextFiled.previousFiled = holder.previousFiled;
  holder.nextFiled = holder.previousFiled = holder;
}
