/**
 * One attempt of a probe type that is not a script (talk-script.ts): its
 * result is given once, never as a rejection, and at the latest when the
 * signal aborts. A type says how it begins and how it leaves; the connection
 * is gone soon after it left.
 */
import { dialFailureText } from '../../net/dial.ts';
import { connectFailure } from './connect-failure.ts';
import type { ProbeContext, ProbeResult, ProbeTarget } from './probe.ts';

export abstract class ProbeAttempt {
  protected readonly target: ProbeTarget;
  protected readonly context: ProbeContext;
  /** Until then a failure is one to reach the backend at all. */
  protected isConnected = false;
  protected isDecided = false;
  readonly #startMs: number;
  readonly #outcome = Promise.withResolvers<ProbeResult>();

  constructor(target: ProbeTarget, context: ProbeContext) {
    this.target = target;
    this.context = context;
    this.#startMs = context.clock.monotonicMs();
  }

  run(): Promise<ProbeResult> {
    const { signal } = this.context;
    if (signal.aborted) this.fail('gave up');
    else {
      signal.addEventListener('abort', this.#abort);
      this.begin();
    }
    return this.#outcome.promise;
  }

  /** Dials, and asks. */
  protected abstract begin(): void;
  /** Called once, with the result at hand: ends what `begin` opened. */
  protected abstract leave(passed: boolean): void;

  /** Its time is over, or nobody wants to know any more. */
  protected giveUp(): void {
    this.fail('gave up');
  }

  protected pass(): void {
    this.decide({ ok: true, latencyMs: this.context.clock.monotonicMs() - this.#startMs });
  }

  protected fail(reason: string): void {
    this.decide(this.isConnected ? { ok: false, reason } : { ok: false, reason, unreached: true });
  }

  protected failBy(error: Error): void {
    if (this.isConnected) this.fail(dialFailureText(error));
    else this.decide(connectFailure(error));
  }

  protected decide(result: ProbeResult): void {
    if (this.isDecided) return;
    this.isDecided = true;
    this.context.signal.removeEventListener('abort', this.#abort);
    this.leave(result.ok);
    this.#outcome.resolve(result);
  }

  readonly #abort = (): void => this.giveUp();
}
