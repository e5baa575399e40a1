/** A network in virtual time: what each port does to a connect, and who tried when. */
import type { Socket as DatagramSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { DialUdp } from '../../src/net/dial-udp.ts';
import type { Dial } from '../../src/net/dial.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** `silent`: no answer ever. A number: accepted after so many milliseconds. Text: fails with that code. */
export type PortBehaviour = 'accept' | 'silent' | number | `E${string}`;

class VirtualSocket extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done();
  }
  override _final(done: () => void): void {
    this.push(null);
    done();
  }
}

/** Its peer sends each datagram back marked as the answer to a DNS query, which any other asks no less of. */
export class VirtualDatagrams extends EventEmitter {
  isClosed = false;
  readonly #meet: (happens: (refusal: string | null) => void) => void;

  /** `meet` says once, later or never, what its peer does to a datagram: null, it answers. */
  constructor(meet: (happens: (refusal: string | null) => void) => void) {
    super();
    this.#meet = meet;
    queueMicrotask(() => this.isClosed || this.emit('connect'));
  }

  send(bytes: Buffer, done: (error: null) => void): void {
    queueMicrotask(() => done(null));
    this.#meet((refusal) => {
      if (this.isClosed) return;
      if (refusal !== null) return void this.emit('error', Object.assign(new Error(refusal), { code: refusal }));
      const answer = Buffer.from(bytes);
      if (answer.length > 2) answer[2]! |= 0x80;
      this.emit('message', answer);
    });
  }

  close(): void {
    this.isClosed = true;
    this.emit('close');
  }
}

export class VirtualNetwork {
  readonly #clock: VirtualClock;
  readonly ports = new Map<number, PortBehaviour>();
  readonly attempts: { readonly address: string; readonly port: number; readonly atMs: number }[] = [];
  /** Sockets made and not closed yet. */
  open = 0;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** Times at which `port` was tried. */
  timesOf(port: number): number[] {
    return this.attempts.filter((attempt) => attempt.port === port).map(({ atMs }) => atMs);
  }

  readonly dial: Dial = ({ address, port }) => {
    this.attempts.push({ address, port, atMs: this.#clock.monotonicMs() });
    const socket = new VirtualSocket();
    this.open++;
    socket.once('close', () => this.open--);
    const behaviour = this.ports.get(port) ?? 'accept';
    if (behaviour !== 'silent') {
      const timer = this.#clock.after(typeof behaviour === 'number' ? behaviour : 1, () => {
        if (typeof behaviour === 'number' || behaviour === 'accept') socket.emit('connect');
        else socket.destroy(Object.assign(new Error(behaviour), { code: behaviour }));
      });
      socket.once('close', () => timer.cancel());
    }
    return socket as unknown as Socket;
  };

  /** A datagram to a port meets what a connect does; `silent` loses it. */
  readonly dialUdp: DialUdp = ({ address, port }) => {
    this.attempts.push({ address, port, atMs: this.#clock.monotonicMs() });
    this.open++;
    const behaviour = this.ports.get(port) ?? 'accept';
    const socket = new VirtualDatagrams((happens) => {
      if (behaviour === 'silent') return;
      this.#clock.after(typeof behaviour === 'number' ? behaviour : 1, () => happens(typeof behaviour === 'number' || behaviour === 'accept' ? null : behaviour));
    });
    socket.once('close', () => this.open--);
    return socket as unknown as DatagramSocket;
  };
}
