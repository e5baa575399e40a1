/**
 * One conversation with a backend over a fresh connection: plays a script
 * (talk-script.ts) and turns everything that can happen meanwhile into a
 * result. A probe type of a request-and-answer protocol is its options, a
 * script, and one call:
 *
 *   function* askPing(): Talk {
 *     yield* say('PING\r\n');
 *     const answer = yield* read(line(1024));
 *     return answer.toString('latin1') === '+PONG\r\n' ? { passed: true } : failed('answered', answer.toString('latin1'));
 *   }
 *   probe: (target, options, context) => talk(target, context, askPing(), { secrets: [options.password] }),
 *
 * What holds, whatever the backend does:
 * - the result comes once, never as a rejection, and at the latest when the
 *   context's signal aborts; the connection is gone soon after;
 * - a script gets whole messages, of `bytesMax` bytes altogether at most; a
 *   backend that talks on is cut off;
 * - reasons: those of connect-failure.ts without a connection; `connection
 *   reset`, `closed before it answered`, `closed in the middle of its answer`,
 *   `answer is larger than N bytes`, else the script's own, and behind it what
 *   the backend said, every secret masked, on one line of bounded length;
 * - closing is gentle: `goodbye`, our FIN, and then the backend's last words are
 *   dropped, so that it does not see a reset. A backend that goes on too long, or
 *   with too much, is reset all the same.
 *
 * A `secure` step goes on in TLS over the same connection (the context's
 * `startTls`); a certificate that does not hold is the reason. A script is tested without a
 * socket, over every split of the bytes, by test/support/script-runs.ts; a
 * `compute` step is where a promise goes.
 */
import type { Socket } from 'node:net';
import { closeGently, dialFailureText } from '../../net/dial.ts';
import { connectFailure } from './connect-failure.ts';
import type { ProbeContext, ProbeResult, ProbeTarget } from './probe.ts';
import { reasonText } from './reason-text.ts';
import { TalkRun, type RunState, type Talk, type TalkEnd } from './talk-script.ts';

const TALK_BYTES_MAX = 64 * 1024;
/** How long a backend may take to answer our FIN before the socket is dropped. */
const LINGER_MS = 1000;

export interface TalkOptions {
  /** Default: 64 KiB. */
  readonly bytesMax?: number;
  /** Masked where the backend repeats them; absent ones and empty ones are passed over. */
  readonly secrets?: readonly (string | null | undefined)[];
}

export function talk(target: ProbeTarget, context: ProbeContext, script: Talk, options: TalkOptions = {}): Promise<ProbeResult> {
  return new Promise((resolve) => new Conversation(target, context, script, options, resolve).begin());
}

class Conversation {
  readonly #target: ProbeTarget;
  readonly #context: ProbeContext;
  readonly #run: TalkRun;
  readonly #secrets: readonly string[];
  readonly #resolve: (result: ProbeResult) => void;
  readonly #startMs: number;
  #socket: Socket | null = null;
  #isConnected = false;
  #isDecided = false;

  constructor(target: ProbeTarget, context: ProbeContext, script: Talk, { bytesMax = TALK_BYTES_MAX, secrets = [] }: TalkOptions, resolve: (result: ProbeResult) => void) {
    this.#target = target;
    this.#context = context;
    this.#run = new TalkRun(script, bytesMax, (bytes) => this.#write(bytes));
    this.#secrets = secrets.filter((secret) => secret !== null && secret !== undefined);
    this.#resolve = resolve;
    this.#startMs = context.clock.monotonicMs();
  }

  begin(): void {
    const { signal, dial } = this.#context;
    if (signal.aborted) return this.#abort();
    const socket = dial({ address: this.#target.host, port: this.#target.port });
    this.#socket = socket;
    signal.addEventListener('abort', this.#abort);
    socket.once('connect', () => {
      this.#isConnected = true;
      this.#step(() => this.#run.begin());
    });
    this.#listenTo(socket);
  }

  #listenTo(socket: Socket): void {
    socket.on('data', this.#onBytes).on('end', this.#onClose).on('error', this.#onError).on('close', this.#onClose);
  }

  readonly #onClose = (): void => this.#step(() => this.#run.close());

  readonly #onError = (error: Error): void => this.#decide(this.#isConnected ? { ok: false, reason: dialFailureText(error) } : connectFailure(error));

  readonly #abort = (): void => {
    this.#decide(this.#isConnected ? { ok: false, reason: 'gave up' } : { ok: false, reason: 'gave up', unreached: true });
    this.#socket?.destroy();
  };

  readonly #onBytes = (bytes: Buffer): void => this.#step(() => this.#run.feed(bytes));

  #step(turn: () => RunState): void {
    if (this.#isDecided) return;
    try {
      this.#take(turn());
    } catch (error) {
      // A bug of the script's: a failed probe, and no worse.
      this.#end({ passed: false, reason: `probe failed: ${String(error)}` });
    }
  }

  #take(state: RunState): void {
    if (state.is === 'end') return this.#end(state.end);
    if (state.is === 'more') return;
    if (state.is === 'secure') return this.#secure();
    state.step.later().then(
      (result) => {
        this.#step(() => this.#run.computed(result));
        // What ended while the work went on has no other event to come.
        if (this.#socket?.readableEnded === true || this.#socket?.destroyed === true) this.#step(() => this.#run.close());
      },
      (error: unknown) => this.#end({ passed: false, reason: `probe failed: ${String(error)}` }),
    );
  }

  /** From here on the connection is read and written by TLS alone. */
  #secure(): void {
    const raw = this.#socket!;
    raw.off('data', this.#onBytes).off('end', this.#onClose).off('error', this.#onError).off('close', this.#onClose);
    // What goes wrong with it is told by what lies over it.
    raw.on('error', () => undefined);
    const socket = this.#context.startTls!(raw);
    this.#socket = socket;
    socket.once('secureConnect', () => this.#step(() => this.#run.secured()));
    this.#listenTo(socket);
  }

  #end(end: TalkEnd): void {
    if (this.#isDecided) return;
    if (end.passed) {
      const latencyMs = this.#context.clock.monotonicMs() - this.#startMs;
      this.#decide({ ok: true, latencyMs });
    } else {
      this.#decide({ ok: false, reason: reasonText(end.reason, end.said, this.#secrets) });
    }
    if (end.goodbye !== undefined) this.#write(end.goodbye);
    this.#leave();
  }

  #decide(result: ProbeResult): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.#context.signal.removeEventListener('abort', this.#abort);
    this.#resolve(result);
  }

  /** Once the backend has closed, what it would have been told is of no use; its last words decide. */
  #write(bytes: Buffer): void {
    if (this.#socket?.writable === true) this.#socket.write(bytes);
  }

  #leave(): void {
    if (this.#socket !== null) closeGently(this.#socket, this.#context.clock, LINGER_MS);
  }
}
