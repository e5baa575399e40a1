/**
 * What goes out on an HTTP/2 connection to a backend: gathered over a turn of
 * the loop and written once at its end. Streams with more to send than the
 * windows or the socket take stand in line, and take turns.
 */
import type { Socket } from 'node:net';
import { flushLater, type TurnWriter } from '../../net/turn-writes.ts';
import { OutBytes } from '../parse/out-bytes.ts';

/** The socket has taken none of so much: streams wait. */
const UNSENT_BYTES_MAX = 256 * 1024;

/** A stream that waits for a window or for the socket. */
export interface InLine {
  isInLine: boolean;
  /** Sends what the windows allow, at most a few frames. True: there is more that could go now. */
  pump(): boolean;
}

export class Http2Outgoing implements TurnWriter {
  /** Frames are put here; `flushSoon` sends them on their way. */
  out = new OutBytes();
  readonly #socket: Socket;
  readonly #countSent: (bytes: number) => void;
  #line: InLine[] = [];
  #isDue = false;
  #isFull = false;
  #isStopped = false;

  constructor(socket: Socket, countSent: (bytes: number) => void) {
    this.#socket = socket;
    this.#countSent = countSent;
  }

  /** The socket takes more. */
  get canSend(): boolean {
    return !this.#isFull && this.out.length < UNSENT_BYTES_MAX;
  }

  /** `stream` is pumped again when there may be room. */
  lineUp(stream: InLine): void {
    if (stream.isInLine) return;
    stream.isInLine = true;
    this.#line.push(stream);
  }

  flushSoon(): void {
    if (this.#isDue || this.#isFull || this.#isStopped) return;
    this.#isDue = true;
    flushLater(this);
  }

  flush(): void {
    if (!this.#isFull) this.#pumpLine();
    // Only now: what the pumped put is written here.
    this.#isDue = false;
    const { out } = this;
    if (this.#isStopped || this.#isFull || out.length === 0) return;
    this.#countSent(out.length);
    this.#socket.write(out.bytes.subarray(0, out.length));
    if (this.#socket.writableLength === 0) {
      out.length = 0;
      return;
    }
    // The socket still has them: what follows goes into others, and waits.
    this.out = new OutBytes();
    this.#isFull = true;
    this.#socket.write('', () => {
      this.#isFull = false;
      this.flushSoon();
    });
  }

  #pumpLine(): void {
    let isRoom = true;
    while (isRoom && this.#line.length > 0) {
      const line = this.#line;
      this.#line = [];
      isRoom = false;
      for (const stream of line) {
        stream.isInLine = false;
        if (stream.pump()) isRoom = true;
      }
    }
  }

  /** Nothing more is gathered; `isGraceful`: what was goes out still, and the socket is closed behind it. */
  stop(isGraceful: boolean): void {
    this.#isStopped = true;
    this.#line = [];
    const { out } = this;
    if (!isGraceful || this.#isFull || out.length === 0) {
      this.#socket.destroy();
      return;
    }
    this.#socket.end(out.bytes.subarray(0, out.length));
    this.#socket.destroySoon();
  }
}
