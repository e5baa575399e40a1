/**
 * The sending half of an HTTP/2 client's connection: frames are put into one
 * buffer and leave once a turn of the loop. DATA waits here for its turn, while
 * the connection's window is empty or the client takes no more; all else goes
 * out as it comes. Owned by Http2Client.
 */
import type { Socket } from 'node:net';
import { flushLater, type TurnWriter } from '../../net/turn-writes.ts';
import { endWriting, writeTo } from '../../net/write-to.ts';
import { FIRST_WINDOW_BYTES, FRAME_BYTES_MAX } from '../parse/http2-frames.ts';
import { OutBytes } from '../parse/out-bytes.ts';

/** A stream with DATA to send. */
export interface BodySource {
  /** 0, the most urgent, to 7 (RFC 9218 §4.1). */
  readonly urgency: number;
  /** It is among the waiting; the output's alone. */
  isWaiting: boolean;
  /** Puts one frame of at most so many bytes. True: it has more that its own window lets through. */
  putFrame(bytesMax: number): boolean;
}

export interface OutputOwner {
  /** So many bytes go to the socket. */
  onWritten(bytes: number): void;
  /** The kernel did not take them at once. */
  onBlocked(): void;
  /** It has taken them now. */
  onUnblocked(): void;
}

/** DATA in the buffer and on its way to the kernel; more would only wait where it cannot be reordered, and be cold when its turn comes. */
const QUEUED_BYTES_MAX = 128 * 1024;
/** Less room than that is none: a frame of a few bytes would cost its head. */
const ROOM_BYTES_MIN = 1024;
const SMALL_BYTES = 16 * 1024;
/** That DATA, the heads of its frames, and answers' heads beside it. */
const LARGE_BYTES = 160 * 1024;
const SPARE_MAX = 64;
const SPARE_LARGE_MAX = 32;
const URGENCIES = 8;
/** After so many frames in a row the least urgent gets one: nobody starves. */
const FRAMES_BEFORE_LEAST = 8;

const NO_BYTES = Buffer.alloc(0);
const NONE_WAITING: BodySource[][] = [];
/** Buffers nobody uses; a connection has one only while there is something in it. */
const spare: Buffer[] = [];
const spareLarge: Buffer[] = [];

/** Grows by the two sizes that go round, since new memory costs more than what is done with it. */
class FrameBytes extends OutBytes {
  override reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const former = this.bytes;
    if (needed <= SMALL_BYTES) this.bytes = spare.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    else if (needed <= LARGE_BYTES) this.bytes = spareLarge.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
    else this.bytes = Buffer.allocUnsafeSlow(needed * 2);
    former.copy(this.bytes, 0, 0, this.length);
    giveBack(former);
  }
}

function giveBack(bytes: Buffer): void {
  if (bytes.length === SMALL_BYTES && spare.length < SPARE_MAX) spare.push(bytes);
  else if (bytes.length === LARGE_BYTES && spareLarge.length < SPARE_LARGE_MAX) spareLarge.push(bytes);
}

export class Http2Output implements TurnWriter {
  readonly #out = new FrameBytes(0);
  /** The connection's window for DATA. */
  window = FIRST_WINDOW_BYTES;
  /** The kernel has not taken all: it is at the client's pace. */
  isBlocked = false;
  readonly #socket: Socket;
  readonly #owner: OutputOwner;
  #isWriting = false;
  #isScheduled = false;
  #inFlight: Buffer = NO_BYTES;
  #inFlightLength = 0;
  #isEnding = false;
  /** By urgency; made when one has to wait. */
  #waiting: BodySource[][] = NONE_WAITING;
  #waitingCount = 0;
  #framesSinceLeast = 0;

  constructor(socket: Socket, owner: OutputOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** Bytes that have not gone to the kernel. */
  get heldBytes(): number {
    return this.#out.length + this.#inFlightLength;
  }

  /** Where the next frame goes; it leaves at the end of this turn. */
  open(): OutBytes {
    this.#schedule();
    return this.#out;
  }

  #schedule(): void {
    if (this.#isScheduled || this.isBlocked) return;
    this.#isScheduled = true;
    flushLater(this);
  }

  // ---- DATA

  /**
   * Whether DATA may be put now. What fills the buffer is written at once while
   * the kernel takes it: to wait for the end of the turn would pin the buffers
   * of every backend that has more, and new ones cost more than the call.
   */
  #hasRoom(): boolean {
    if (this.window <= 0) return false;
    if (this.heldBytes > QUEUED_BYTES_MAX - ROOM_BYTES_MIN && !this.isBlocked) this.#writeOut();
    return this.heldBytes <= QUEUED_BYTES_MAX - ROOM_BYTES_MIN;
  }

  #frameBytesMax(): number {
    return Math.min(this.window, FRAME_BYTES_MAX, QUEUED_BYTES_MAX - this.heldBytes);
  }

  /** Puts what it can of a source that has just got something, behind those that wait already. */
  offer(source: BodySource): void {
    if (source.isWaiting) return;
    if (this.#waitingCount === 0) {
      while (this.#hasRoom()) if (!source.putFrame(this.#frameBytesMax())) return;
    }
    this.#wait(source);
  }

  #wait(source: BodySource): void {
    source.isWaiting = true;
    if (this.#waiting === NONE_WAITING) this.#waiting = Array.from({ length: URGENCIES }, () => []);
    this.#waiting[source.urgency]!.push(source);
    this.#waitingCount++;
  }

  withdraw(source: BodySource): void {
    if (!source.isWaiting) return;
    source.isWaiting = false;
    this.#waitingCount--;
    for (const ring of this.#waiting) {
      const at = ring.indexOf(source);
      if (at !== -1) ring.splice(at, 1);
    }
  }

  /** Lets those that wait have a frame each in turn, the more urgent first. */
  pump(): void {
    while (this.#waitingCount > 0 && this.#hasRoom()) {
      const source = this.#next();
      source.isWaiting = false;
      this.#waitingCount--;
      if (source.putFrame(this.#frameBytesMax()) && !source.isWaiting) this.#wait(source);
    }
  }

  #next(): BodySource {
    const rings = this.#waiting;
    if (++this.#framesSinceLeast > FRAMES_BEFORE_LEAST) {
      this.#framesSinceLeast = 0;
      for (let i = URGENCIES - 1; ; i--) if (rings[i]!.length > 0) return rings[i]!.shift()!;
    }
    for (let i = 0; ; i++) if (rings[i]!.length > 0) return rings[i]!.shift()!;
  }

  // ---- the socket

  flush(): void {
    this.#isScheduled = false;
    if (this.isBlocked || this.#out.length === 0) return;
    this.#writeOut();
    if (!this.isBlocked) this.pump();
  }

  #writeOut(): void {
    if (this.#socket.destroyed) return;
    const { bytes, length } = this.#out;
    this.#inFlight = bytes;
    this.#inFlightLength = length;
    this.#out.bytes = NO_BYTES;
    this.#out.length = 0;
    this.#owner.onWritten(length);
    this.isBlocked = this.#isWriting = true;
    writeTo(this.#socket, length === bytes.length ? bytes : bytes.subarray(0, length), this.#onWritten);
    this.#isWriting = false;
    if (this.isBlocked) this.#owner.onBlocked();
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.isBlocked = false;
    giveBack(this.#inFlight);
    this.#inFlight = NO_BYTES;
    this.#inFlightLength = 0;
    if (error) {
      this.#socket.destroy();
      return;
    }
    if (!this.#isWriting) {
      this.pump();
      this.#owner.onUnblocked();
    }
    if (this.#out.length > 0) this.#schedule();
    else if (this.#isEnding) this.#end();
  };

  /** FIN behind all that was put. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.flush();
    if (!this.isBlocked && this.#out.length === 0) this.#end();
  }

  #end(): void {
    if (!this.#socket.destroyed) endWriting(this.#socket, ignore);
  }
}

function ignore(): void {}
