/**
 * Which phase a member is in: autonomous after a lease without a good answer,
 * or when it may not join; settling for a lease of unbroken good answers after
 * that or a break; connected then. Owned by the tier link, which says what
 * happened; the deadlines are kept here.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { LinkPhase, LinkState } from './membership.ts';

export interface LinkPhasesOptions {
  readonly clock: Clock;
  readonly leaseMs: () => number;
  /** After each change. */
  readonly onChange: (state: LinkState, former: LinkPhase) => void;
}

/** After a pause timers run before the sockets are read: an answer that is here already must win. */
const READ_GRACE_MS = 1;

export class LinkPhases {
  readonly #options: LinkPhasesOptions;
  #state: LinkState = { phase: 'joining', reason: 'waiting for the store' };
  #lastGoodMs: number;
  /** Good answers have not been broken since. */
  #unbrokenSinceMs: number;
  #sinceWallMs = 0;
  #lastFailure = '';
  #timer: Timer | null = null;

  constructor(options: LinkPhasesOptions) {
    this.#options = options;
    this.#lastGoodMs = this.#unbrokenSinceMs = options.clock.monotonicMs();
    this.#arm();
  }

  get state(): LinkState {
    return this.#state;
  }

  get phase(): LinkPhase {
    return this.#state.phase;
  }

  /** Wall time at which settling began. */
  get sinceWallMs(): number {
    return this.#sinceWallMs;
  }

  /** Settling, and good answers have not been broken for a lease. */
  get hasSettled(): boolean {
    return this.phase === 'settling' && this.#options.clock.monotonicMs() - this.#unbrokenSinceMs >= this.#options.leaseMs();
  }

  /** How long until it can have settled. */
  get settlesInMs(): number {
    return Math.max(0, this.#unbrokenSinceMs + this.#options.leaseMs() - this.#options.clock.monotonicMs());
  }

  /** For how long good answers had not been broken when the last one came. */
  get steadyMs(): number {
    return this.#lastFailure === '' ? this.#lastGoodMs - this.#unbrokenSinceMs : 0;
  }

  answered(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#lastFailure !== '') this.#unbrokenSinceMs = nowMs;
    this.#lastFailure = '';
    this.#lastGoodMs = nowMs;
    this.#arm();
  }

  failed(reason: string): void {
    this.#lastFailure = reason;
    if (this.phase === 'autonomous') this.#become('autonomous', reason);
  }

  /** This proxy may not join. */
  refused(reason: string): void {
    this.#lastFailure = reason;
    this.#become('autonomous', reason);
  }

  settle(reason: string): void {
    const { clock } = this.#options;
    this.#unbrokenSinceMs = clock.monotonicMs();
    this.#sinceWallMs = clock.wallMs();
    this.#become('settling', reason);
  }

  connect(): void {
    this.#become('connected', '');
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#leftMs(), () => {
      this.#timer = this.#options.clock.after(READ_GRACE_MS, () => this.#check());
    });
  }

  #leftMs(): number {
    return this.#lastGoodMs + this.#options.leaseMs() - this.#options.clock.monotonicMs();
  }

  #check(): void {
    this.#timer = null;
    // The lease may have been made longer meanwhile.
    if (this.#leftMs() > 0) return this.#arm();
    this.#become('autonomous', this.#lastFailure === '' ? 'no answer for a lease' : this.#lastFailure);
  }

  #become(phase: LinkPhase, reason: string): void {
    const former = this.#state;
    if (former.phase === phase && former.reason === reason) return;
    this.#state = { phase, reason };
    this.#options.onChange(this.#state, former.phase);
  }
}
