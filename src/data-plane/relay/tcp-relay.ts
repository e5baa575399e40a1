/**
 * Two connections joined: what one end reads is written to the other, byte by
 * byte as it came, in both directions at once. An end whose counterpart does
 * not take what it was given is not read meanwhile, so a relay holds two reads
 * in each direction and no more. FIN goes over as FIN, each direction by
 * itself, and RST as RST. Owned by a session, which hears of the rest; knows
 * nothing of pools, clients and time.
 */
import type { Socket } from 'node:net';
import { freeRead, readFrom, type Reader, type ReadTarget } from '../../net/read-from.ts';
import type { DialedReader } from '../../net/relay-dial.ts';
import { closeInOrder, isSecure } from '../../net/secure-socket.ts';
import { endWriting, writeTo } from '../../net/write-to.ts';

/** Who joined the ends. After the first of `onRelayEnded`, `onEndFailed` and `onBug` it closes both. */
export interface RelayOwner {
  /** `count` bytes came, and are about to be passed on. */
  onRelayed(from: RelayEnd, count: number): void;
  /** Both directions have ended, and all that came was passed on. */
  onRelayEnded(): void;
  /** This end was reset, or its socket failed otherwise. */
  onEndFailed(end: RelayEnd, error: NodeJS.ErrnoException | null): void;
  /** A bug of ours, which must cost this connection and not the worker. */
  onBug(error: unknown): void;
}

export class RelayEnd implements ReadTarget {
  protected readonly socket: Socket;
  protected readonly owner: RelayOwner;
  /** Its peer shut down its sending side. */
  hasEnded = false;
  readonly #reader: Reader;
  #other: RelayEnd | null = null;
  /** Read, and not yet given to the other end: there was none, or it had not taken what came before. */
  #held: Buffer | null = null;
  /** Given to this end's socket, which has not taken all of it. */
  #pending: Buffer | null = null;
  /** The other end waits for `#pending`. */
  #isWaitedFor = false;
  #writes = 0;
  /** Our FIN was sent, or is on its way. */
  #hasShut = false;
  #isClosed = false;
  /** It has TLS, whose end is said in its own words. */
  readonly #isSecure: boolean;
  readonly #onWritten: (error?: Error | null) => void;

  /** `reader`: of a socket that is read in another way than an accepted one. */
  constructor(socket: Socket, owner: RelayOwner, reader: DialedReader | null = null) {
    this.socket = socket;
    this.#isSecure = isSecure(socket);
    this.owner = owner;
    this.#onWritten = (error) => this.#afterWrite(error ?? null);
    socket.on('error', (error: NodeJS.ErrnoException) => this.owner.onEndFailed(this, error));
    this.#reader = reader === null ? readFrom(socket, this) : reader.readFor(this);
  }

  /** Call it once its owner is ready and the socket connected. */
  begin(): void {
    this.#reader.begin();
  }

  /** Goes to the other end before all that was read here. Call it before `join`. */
  putFirst(bytes: Buffer): void {
    this.#held = this.#held === null ? bytes : Buffer.concat([bytes, this.#held]);
  }

  /** From now on what one reads the other writes, beginning with what came before. */
  join(other: RelayEnd): void {
    this.#other = other;
    other.#other = this;
    this.#passHeldOn();
  }

  onBytes(bytes: Buffer): void {
    try {
      this.owner.onRelayed(this, bytes.length);
      const other = this.#other;
      if (other === null || this.#held !== null || other.#pending !== null) this.#hold(bytes);
      else if (!other.send(bytes)) this.#reader.pause();
    } catch (error) {
      this.owner.onBug(error);
    }
  }

  onEnd(): void {
    this.hasEnded = true;
    if (this.#other !== null && this.#held === null) this.#passEndOn(this.#other);
  }

  onClose(): void {
    // Closed by itself after both directions ended: what the other end has yet to take it still gets.
    const other = this.#other;
    if (other !== null && this.hasEnded && other.hasEnded && other.#pending !== null) return;
    this.owner.onEndFailed(this, null);
  }

  /** Writes `bytes`; false: not all is with the kernel yet, and nothing more may be sent for now. */
  send(bytes: Buffer): boolean {
    // The first write leaves at once anyway; short connections need no second.
    if (++this.#writes === 2) this.socket.setNoDelay(true);
    this.#pending = bytes;
    if (this.#isSecure) this.socket.write(bytes, this.#onWritten);
    else writeTo(this.socket, bytes, this.#onWritten);
    if (this.#pending === null) return true;
    this.#isWaitedFor = true;
    return false;
  }

  keepAlive(initialDelayMs: number): void {
    this.socket.setKeepAlive(true, initialDelayMs);
  }

  /** FIN, if all was read and written; the kernel makes it RST where its peer had more to say. */
  close(): void {
    this.#letGo();
    if (this.#isSecure) closeInOrder(this.socket);
    else this.socket.destroy();
  }

  /** RST. */
  reset(): void {
    this.#letGo();
    // A socket whose FIN is on its way cannot be reset (EINVAL), nor one that is not connected.
    if (this.#hasShut || this.socket.connecting) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  #letGo(): void {
    this.#isClosed = true;
    this.#other = null;
    this.#held = null;
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held === null ? bytes : Buffer.concat([this.#held, bytes]);
    this.#reader.pause();
  }

  #passHeldOn(): void {
    const other = this.#other!;
    const held = this.#held;
    this.#held = null;
    if (held !== null && !other.send(held)) return;
    if (this.hasEnded) this.#passEndOn(other);
    else this.#reader.resume();
  }

  #passEndOn(other: RelayEnd): void {
    if (other.hasEnded) this.#endIfDone();
    else other.#shut();
  }

  #shut(): void {
    this.#hasShut = true;
    // Of TLS, behind what is still on its way: done at once, its notice would overtake that.
    if (this.#isSecure) this.socket.end();
    else endWriting(this.socket, (error) => {
      if (error && !this.#isClosed) this.owner.onEndFailed(this, error);
    });
  }

  /** A socket that has taken all is closed at once, which spares it the round of events that an end of its own would take. */
  #endIfDone(): void {
    const other = this.#other;
    if (other === null || !other.hasEnded || !this.hasEnded || this.#held !== null || other.#held !== null) return;
    if (this.#pending === null && other.#pending === null) this.owner.onRelayEnded();
  }

  #afterWrite(error: NodeJS.ErrnoException | null): void {
    const bytes = this.#pending!;
    this.#pending = null;
    if (error !== null) {
      if (!this.#isClosed) this.owner.onEndFailed(this, error);
      return;
    }
    freeRead(bytes);
    if (!this.#isWaitedFor) return;
    this.#isWaitedFor = false;
    const other = this.#other;
    if (other === null) return;
    other.#passHeldOn();
    this.#endIfDone();
  }
}
