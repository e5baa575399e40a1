/**
 * What waits to be told to subscribers of the memory store, and when a message
 * may go: PUBLISH_EVERY_MS after the last one, in the step that finds it due.
 * Held by tier-state.ts. Of the callers in the time between one alone is asked
 * to come back for it, or each of a thousand would.
 */
import { PUBLISH_BYTES_MAX, PUBLISH_EVERY_MS, type StoreHint } from '../tier-store.ts';
import { AnswerBudget, type TextTable } from './text-table.ts';

export interface HintSources {
  readonly run: string;
  readonly verdicts: TextTable;
  readonly operatorStates: TextTable;
  readonly configEpoch: number;
}

export class HintBox {
  #lastMs = -PUBLISH_EVERY_MS;
  /** Epochs as last published. */
  #verdicts = 0;
  #operatorStates = 0;
  #config = 0;
  /** Waiting to be published; null: too many for a message. */
  #suspicions: string[] | null = [];
  #suspicionBytes = 0;
  /** Until when a check's suspicion counts no more, oldest first. */
  #suspected = new Map<string, number>();
  /** Who has been asked to come back. */
  #asked: string | null = null;

  copy(): HintBox {
    const copy = new HintBox();
    copy.#lastMs = this.#lastMs;
    copy.#verdicts = this.#verdicts;
    copy.#operatorStates = this.#operatorStates;
    copy.#config = this.#config;
    copy.#suspicions = this.#suspicions === null ? null : [...this.#suspicions];
    copy.#suspicionBytes = this.#suspicionBytes;
    copy.#suspected = new Map(this.#suspected);
    copy.#asked = this.#asked;
    return copy;
  }

  suspect(check: string, everyMs: number, nowMs: number): void {
    for (const [old, untilMs] of this.#suspected) {
      if (untilMs > nowMs) break;
      this.#suspected.delete(old);
    }
    if ((this.#suspected.get(check) ?? 0) > nowMs) return;
    this.#suspected.delete(check);
    this.#suspected.set(check, nowMs + everyMs);
    this.#suspicionBytes += Buffer.byteLength(check);
    if (this.#suspicionBytes > PUBLISH_BYTES_MAX) this.#suspicions = null;
    this.#suspicions?.push(check);
  }

  /** The message to be sent now, which is then taken as sent; null: none, or it is too early. */
  takeDue(sources: HintSources, nowMs: number): StoreHint | null {
    if (!this.#waits(sources) || nowMs - this.#lastMs < PUBLISH_EVERY_MS) return null;
    const { run, verdicts, operatorStates, configEpoch } = sources;
    const bytesLeft = PUBLISH_BYTES_MAX - (this.#suspicions === null ? 0 : this.#suspicionBytes);
    const changes = verdicts.changesSince(this.#verdicts, new AnswerBudget(Number.MAX_SAFE_INTEGER, bytesLeft));
    // The budget lets a first entry pass whatever its size.
    const bytes = changes.entries.reduce((sum, { key, text }) => sum + Buffer.byteLength(key) + Buffer.byteLength(text ?? ''), 0);
    const tooMuch = changes.whole || changes.more || bytes > bytesLeft;
    const hint: StoreHint = { run, verdictsFrom: this.#verdicts, verdictsTo: verdicts.epoch, verdicts: tooMuch ? null : changes.entries, operatorStates: operatorStates.epoch, config: configEpoch, suspicions: this.#suspicions };
    this.#lastMs = nowMs;
    this.#verdicts = verdicts.epoch;
    this.#operatorStates = operatorStates.epoch;
    this.#config = configEpoch;
    this.#suspicions = [];
    this.#suspicionBytes = 0;
    this.#asked = null;
    return hint;
  }

  /** In how long `caller` is to call again, for what still waits; null: nothing does, or another was asked (who is living). */
  askBack(caller: string, sources: HintSources, nowMs: number, isLiving: (member: string) => boolean): number | null {
    if (!this.#waits(sources)) return null;
    if (this.#asked !== null && this.#asked !== caller && isLiving(this.#asked)) return null;
    this.#asked = caller;
    return Math.max(1, this.#lastMs + PUBLISH_EVERY_MS - nowMs);
  }

  #waits({ verdicts, operatorStates, configEpoch }: HintSources): boolean {
    return verdicts.epoch !== this.#verdicts || operatorStates.epoch !== this.#operatorStates || configEpoch !== this.#config || this.#suspicions === null || this.#suspicions.length > 0;
  }
}
