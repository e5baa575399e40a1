/**
 * Opens connections whose bytes are passed on, and reads them with the least
 * work per read: the runtime's own `onread`, which only sockets we open have.
 * Small reads of all connections of a thread go into one buffer and are copied
 * out of it (a buffer of their own would be most of what an idle connection
 * holds, and a write that was partial keeps pointing into it). A read that
 * fills it asks for a large buffer, which goes round: whoever was handed a
 * read gives it back with `freeRead`.
 */
import { connect, type Socket } from 'node:net';
import { endsByPush, freeRead, takeLargeRead, type Reader, type ReadTarget } from './read-from.ts';

const SMALL_BYTES = 16 * 1024;

/** Of this thread. Nobody may hold on to a part of it. */
const small = Buffer.allocUnsafeSlow(SMALL_BYTES);

/**
 * A connection whose last read was large keeps its large buffer aimed at while
 * it is silent, so only so many have one: 16 MiB at most.
 */
const LARGE_MAX = 64;
let largeInUse = 0;

/** Takes the place of the target once the socket is closed (see read-from.ts). */
const NOBODY: ReadTarget = { onBytes() {}, onEnd() {}, onClose() {} };

export class DialedReader implements Reader {
  readonly socket: Socket;
  isPaused = false;
  #target: ReadTarget = NOBODY;
  /** null: the thread's own. */
  #large: Buffer | null = null;
  /** The runtime must be given another buffer before the next read. */
  #isStale = true;

  constructor(host: string, port: number) {
    this.socket = connect({
      host,
      port,
      allowHalfOpen: true,
      autoSelectFamily: false,
      onread: { buffer: (() => this.#nextBuffer()) as () => Uint8Array, callback: (count) => this.#onRead(count) },
    });
    endsByPush(this.socket, () => this.#target.onEnd());
    this.socket.on('close', () => {
      const last = this.#target;
      this.#target = NOBODY;
      if (this.#large !== null) this.#useSmall(this.#large);
      last.onClose();
    });
  }

  /** Whom its reads are for; call it before the connection is made. */
  readFor(target: ReadTarget): this {
    this.#target = target;
    return this;
  }

  begin(): void {
    // The runtime reads once it is connected.
  }

  pause(): void {
    if (this.isPaused) return;
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.socket.resume();
  }

  #nextBuffer(): Uint8Array | undefined {
    if (!this.#isStale) return undefined;
    this.#isStale = false;
    return this.#large ?? small;
  }

  #onRead(count: number): boolean {
    const large = this.#large;
    if (count < SMALL_BYTES) {
      const bytes = Buffer.allocUnsafe(count);
      (large ?? small).copy(bytes, 0, 0, count);
      if (large !== null) this.#useSmall(large);
      this.#target.onBytes(bytes);
    } else if (large === null) {
      const bytes = Buffer.allocUnsafe(count);
      small.copy(bytes, 0, 0, count);
      if (largeInUse < LARGE_MAX) this.#useLarge();
      this.#target.onBytes(bytes);
    } else {
      // It belongs to the target now; nearly always it is free again when this returns, and the next read goes to the same memory.
      this.#target.onBytes(large.subarray(0, count));
      if (this.#large !== null) this.#large = takeLargeRead();
      this.#isStale = true;
    }
    return !this.isPaused;
  }

  #useLarge(): void {
    largeInUse++;
    this.#large = takeLargeRead();
    this.#isStale = true;
  }

  #useSmall(large: Buffer): void {
    largeInUse--;
    this.#large = null;
    this.#isStale = true;
    freeRead(large);
  }
}
