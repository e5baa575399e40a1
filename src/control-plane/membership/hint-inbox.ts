/**
 * Messages to all members that came while a call was in flight or a table half
 * read: they are looked at when that is over, in their order. Too many are
 * forgotten, and a call brings what they would have. Pure.
 */
import type { StoreHint } from '../store/tier-store.ts';

const HELD_MAX = 50;

export class HintInbox {
  #held: StoreHint[] = [];
  #hasLost = false;

  hold(hint: StoreHint): void {
    if (this.#held.length < HELD_MAX) {
      this.#held.push(hint);
      return;
    }
    this.#held = [];
    this.#hasLost = true;
  }

  /** What was held, and whether there was more than could be. */
  takeAll(): { readonly hints: readonly StoreHint[]; readonly hasLost: boolean } {
    const taken = { hints: this.#held, hasLost: this.#hasLost };
    this.#held = [];
    this.#hasLost = false;
    return taken;
  }
}
