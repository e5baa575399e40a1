/** A network in virtual time: what each port does to a connect, and who tried when. */
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
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
}
