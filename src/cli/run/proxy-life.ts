/**
 * Where a proxy stands between its start and its end, and how it gets there:
 *
 *   starting → ready ⇄ draining (the admin interface) → … → stopping → ended
 *
 * Draining turns readyz to 503 while accepting goes on: what stands in front
 * has to notice first. Drained by the admin interface, answers also say
 * `Connection: close`; between TERM and the closing of the listeners service
 * stays plain.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { EventLog, ProxyState } from '../../observe/event-log.ts';
import type { Log } from '../../observe/log.ts';
import type { DrainSpec } from '../../shared/snapshot.ts';

export interface LifeOptions {
  readonly clock: Clock;
  readonly events: EventLog;
  readonly log: Log;
  /** Answers say `Connection: close` from now on, or no longer. */
  shed(on: boolean): void;
  /** Closes the listeners; resolves when the last connection is gone. */
  finish(): Promise<void>;
  /** How many client connections are open. */
  openConnections(): number;
}

export type LifeOutcome = { readonly kind: 'done' } | { readonly kind: 'conflict'; readonly text: string };

export class ProxyLife {
  readonly #options: LifeOptions;
  #state: ProxyState = 'starting';
  #isUp = false;
  #drained = false;
  #stop: Promise<void> | null = null;
  #delay: { readonly timer: Timer; readonly end: () => void } | null = null;

  constructor(options: LifeOptions) {
    this.#options = options;
  }

  get state(): ProxyState {
    return this.#state;
  }

  /** It has been ready once. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** TERM or INT came: nothing leads back from here. */
  get isEnding(): boolean {
    return this.#stop !== null;
  }

  /** Listeners are bound, first verdicts are in. */
  up(): void {
    this.#isUp = true;
    if (this.#state === 'starting') this.#enter('ready', '');
  }

  drain(reason: string): LifeOutcome {
    if (this.#drained || this.isEnding) return { kind: 'done' };
    this.#drained = true;
    this.#options.shed(true);
    this.#enter('draining', reason);
    return { kind: 'done' };
  }

  undrain(reason: string): LifeOutcome {
    if (this.isEnding) return { kind: 'conflict', text: 'this proxy is stopping' };
    if (!this.#drained) return { kind: 'done' };
    this.#drained = false;
    this.#options.shed(false);
    this.#enter(this.#isUp ? 'ready' : 'starting', reason);
    return { kind: 'done' };
  }

  /** Resolves when nothing is open any more, or what is open has to be cut. Asked twice it is done once; without `skipDelay` only if all said so. */
  stop(reason: string, drain: DrainSpec, skipDelay: boolean): Promise<void> {
    if (skipDelay) this.#delay?.end();
    this.#stop ??= this.#runDown(reason, drain, skipDelay);
    return this.#stop;
  }

  async #runDown(reason: string, { delayMs, timeoutMs }: DrainSpec, skipDelay: boolean): Promise<void> {
    const { clock, log } = this.#options;
    if (!skipDelay && delayMs > 0) {
      this.#enter('draining', reason);
      await new Promise<void>((resolve) => {
        const end = (): void => {
          this.#delay?.timer.cancel();
          this.#delay = null;
          resolve();
        };
        this.#delay = { timer: clock.after(delayMs, end), end };
      });
    }
    this.#enter('stopping', reason);
    const ends = [this.#options.finish()];
    let limit: Timer | null = null;
    if (timeoutMs > 0) ends.push(new Promise((resolve) => (limit = clock.after(timeoutMs, resolve))));
    await Promise.race(ends);
    (limit as Timer | null)?.cancel();
    const cut = this.#options.openConnections();
    if (cut > 0) log.warn('connections cut: drain.timeout is over', { connections: cut });
  }

  #enter(state: ProxyState, reason: string): void {
    this.#state = state;
    this.#options.events.emit({ type: 'proxy-state', state, reason });
    this.#options.log.info(state, reason === '' ? undefined : { reason });
  }
}
