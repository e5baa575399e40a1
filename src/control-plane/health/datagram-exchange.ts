/**
 * One question to a backend over UDP, and what comes of it; the counterpart of
 * probe-talk.ts. `judge` sees each datagram and says how the attempt ends, or
 * null: it is not the answer, go on waiting. The result comes once, never as a
 * rejection, at the latest when the signal aborts, and the socket is closed
 * with it. A backend that sends more than `BYTES_MAX` of what is no answer fails.
 *
 * `silenceMs`: how long silence has to last to pass; null: it never passes. The
 * time-out ends the wait as well, so a silence cannot be a failure by being
 * looked at for less long.
 */
import type { Socket } from 'node:dgram';
import type { Timer } from '../../base/clock.ts';
import { dialFailure } from '../../net/dial.ts';
import { connectFailure } from './connect-failure.ts';
import { ProbeAttempt } from './probe-attempt.ts';
import type { ProbeContext, ProbeResult, ProbeTarget } from './probe.ts';
import { reasonText } from './reason-text.ts';
import { BadAnswer, type TalkEnd } from './talk-script.ts';

const BYTES_MAX = 64 * 1024;
/** How long the end of the silence waits for the loop to read a refusal that is here already. */
const READ_GRACE_MS = 1;
/** What a datagram counts at least: empty ones must not be answered for ever. */
const DATAGRAM_BYTES_MIN = 64;

export interface Question {
  readonly bytes: Buffer;
  judge(datagram: Buffer): TalkEnd | null;
  readonly silenceMs: number | null;
}

export function exchange(target: ProbeTarget, context: ProbeContext, question: Question): Promise<ProbeResult> {
  return new Exchange(target, context, question).run();
}

class Exchange extends ProbeAttempt {
  readonly #question: Question;
  #socket: Socket | null = null;
  #silence: Timer | null = null;
  #isSent = false;
  #receivedBytes = 0;

  constructor(target: ProbeTarget, context: ProbeContext, question: Question) {
    super(target, context);
    this.#question = question;
  }

  protected override begin(): void {
    const socket = this.context.dialUdp({ address: this.target.host, port: this.target.port });
    this.#socket = socket;
    socket.on('error', (error) => this.#onError(error));
    socket.once('connect', () => this.#ask(socket));
    socket.on('message', (datagram) => this.#onDatagram(datagram));
  }

  protected override giveUp(): void {
    if (this.#isSent && this.#question.silenceMs !== null) this.pass();
    else this.decide({ ok: false, reason: 'gave up' });
  }

  #ask(socket: Socket): void {
    if (this.isDecided) return;
    const { bytes, silenceMs } = this.#question;
    socket.send(bytes, (error) => {
      if (error !== null && error !== undefined) return this.#onError(error);
      this.#isSent = true;
      if (silenceMs !== null && !this.isDecided) this.#awaitSilence(silenceMs);
    });
  }

  #awaitSilence(silenceMs: number): void {
    const { clock } = this.context;
    this.#silence = clock.after(silenceMs, () => {
      this.#silence = clock.after(READ_GRACE_MS, () => this.pass());
    });
  }

  #onDatagram(datagram: Buffer): void {
    if (this.isDecided) return;
    this.#receivedBytes += Math.max(DATAGRAM_BYTES_MIN, datagram.length);
    const end = this.#judge(datagram);
    if (end === null) {
      if (this.#receivedBytes > BYTES_MAX) this.decide({ ok: false, reason: `sent more than ${BYTES_MAX} bytes, and no answer` });
    } else if (end.passed) this.pass();
    else this.decide({ ok: false, reason: reasonText(end.reason, end.said) });
  }

  #judge(datagram: Buffer): TalkEnd | null {
    try {
      return this.#question.judge(datagram);
    } catch (error) {
      return { passed: false, reason: error instanceof BadAnswer ? error.message : `probe failed: ${String(error)}` };
    }
  }

  #onError(error: Error): void {
    // What refuses a datagram is the backend's machine (ICMP): no process listens.
    if (dialFailure(error) === 'refused') this.decide({ ok: false, reason: 'port unreachable', unreached: true });
    else this.decide(connectFailure(error));
  }

  protected override leave(): void {
    this.#silence?.cancel();
    this.#socket?.close();
  }
}
