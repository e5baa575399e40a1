/**
 * Reading an accepted socket with the least work per read. Overriding `push`
 * on the socket spares the stream's buffering and its 'data' event (0.3 to
 * 0.8 µs a request, measured); because that leans on how a socket hands its
 * reads on, a self-test at start says whether it works on this runtime, and
 * 'data' is used where it does not.
 */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { gather, handOnGathered, type ReadGatherer } from './turn-reads.ts';

export interface ReadTarget {
  /** Bytes that arrived. They belong to the receiver. */
  onBytes(bytes: Buffer): void;
  /** The peer shut down its sending side. */
  onEnd(): void;
  /** The socket is closed: nothing more is heard of it. */
  onClose(): void;
}

/** Stops and resumes reading. At most one more read is handed on after `pause`. */
export interface Reader {
  readonly isPaused: boolean;
  /** Call it once, when the target is ready: it is handed what the socket has read already. */
  begin(): void;
  pause(): void;
  resume(): void;
}

/** Of an accepted socket. */
export interface AcceptedReader extends Reader {
  /** Another target takes what is read from now on, and the end. */
  handTo(target: ReadTarget): void;
}

/**
 * Takes the place of the target once the socket is closed. A closed socket
 * survives young collections, since its native half is let go only by a full
 * one; it must not keep all that belonged to the connection alive with it.
 */
const NOBODY: ReadTarget = { onBytes() {}, onEnd() {}, onClose() {} };

/** Below it the collector is cheaper. */
const FREE_BYTES_MIN = 8 * 1024;

/**
 * Gives the memory of a read back at once; nobody may hold `bytes` any more.
 * The runtime makes a buffer of its own for each read of an accepted socket.
 * Left to the collector, large ones pile up to its limit for external memory,
 * 64 MiB, in no time: uploads spent a third of their time in full collections,
 * and every read went to cold memory (11 µs for 64 KiB made and filled, 2 µs
 * with this).
 */
export function freeRead(bytes: Buffer): void {
  if (bytes.length < FREE_BYTES_MIN) return;
  if (bytes.buffer.byteLength === LARGE_READ_BYTES) return freeLargeRead(bytes);
  const memory = bytes.buffer as ArrayBuffer;
  if (memory.byteLength === bytes.length) memory.transfer(0);
}

/** Larger than what the runtime reads into by itself: fewer, larger reads where there is much to read. */
const LARGE_READ_BYTES = 256 * 1024;
/** Nobody's at the moment; the warmest is taken first. */
const SPARE_MAX = 32;
const spare: Buffer[] = [];

/** A buffer to read into; `freeRead` of the part of it that was read gives it back. */
export function takeLargeRead(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(LARGE_READ_BYTES);
}

function freeLargeRead(bytes: Buffer): void {
  if (spare.length < SPARE_MAX) spare.push(Buffer.from(bytes.buffer as ArrayBuffer));
}

abstract class TargetHolder {
  protected readonly socket: Socket;
  protected target: ReadTarget;

  constructor(socket: Socket, target: ReadTarget) {
    this.socket = socket;
    this.target = target;
    socket.on('close', () => {
      const last = this.target;
      this.target = NOBODY;
      last.onClose();
    });
  }

  handTo(target: ReadTarget): void {
    this.target = target;
  }
}

class PushReader extends TargetHolder implements AcceptedReader, ReadGatherer {
  isPaused = false;
  #isStopped = false;
  /** A read of this turn waits to be handed on. */
  #isGathered = false;

  constructor(socket: Socket, target: ReadTarget) {
    super(socket, target);
    socket.push = (chunk: Buffer | null): boolean => {
      if (this.#isGathered) handOnGathered();
      if (chunk === null) {
        this.target.onEnd();
        return false;
      }
      this.#isGathered = gather(this, chunk);
      if (!this.#isGathered) this.target.onBytes(chunk);
      this.#isStopped = this.isPaused;
      return !this.isPaused;
    };
  }

  handOn(bytes: Buffer): void {
    this.#isGathered = false;
    if (!this.socket.destroyed) this.target.onBytes(bytes);
  }

  begin(): void {
    for (let held = this.socket.read() as Buffer | null; held !== null; held = this.socket.read() as Buffer | null) this.target.onBytes(held);
    if (this.socket.readableEnded) this.target.onEnd();
  }

  pause(): void {
    this.isPaused = true;
  }

  /** The stream believes that a read is pending, so resume() alone would not start one. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (!this.#isStopped || this.socket.destroyed) return;
    this.#isStopped = false;
    this.socket._read(0);
  }
}

class EventReader extends TargetHolder implements AcceptedReader {
  begin(): void {
    this.socket.on('data', (chunk: Buffer) => this.target.onBytes(chunk));
    this.socket.on('end', () => this.target.onEnd());
  }

  get isPaused(): boolean {
    return this.socket.isPaused();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }
}

let usesPush = false;

/** Tells of the end of a socket whose reads go elsewhere (`onread`), by the shorter way where there is one. */
export function endsByPush(socket: Socket, onEnd: () => void): void {
  if (!usesPush) socket.on('end', onEnd);
  else {
    socket.push = (): boolean => {
      onEnd();
      return false;
    };
  }
}

/** Hands everything the socket reads to `target`, from `begin` on. */
export function readFrom(socket: Socket, target: ReadTarget): AcceptedReader {
  return usesPush ? new PushReader(socket, target) : new EventReader(socket, target);
}

/** Tries the push reader on a real connection, pause and resume included; call once at start. */
export async function chooseReader(): Promise<'push' | 'data'> {
  usesPush = await pushReaderWorks().catch(() => false);
  return usesPush ? 'push' : 'data';
}

const SELF_TEST_MS = 1000;

function pushReaderWorks(): Promise<boolean> {
  return new Promise((resolve) => {
    const acceptor = createServer({ allowHalfOpen: true });
    const deadline = setTimeout(() => finish(false), SELF_TEST_MS);
    const finish = (works: boolean): void => {
      clearTimeout(deadline);
      acceptor.close();
      accepted?.destroy();
      dialled?.destroy();
      resolve(works);
    };
    let accepted: Socket | undefined;
    let dialled: Socket | undefined;
    acceptor.on('error', () => finish(false));
    acceptor.on('connection', (socket) => {
      accepted = socket;
      let text = '';
      const reader: Reader = new PushReader(socket, {
        onBytes: (bytes) => {
          text += bytes.toString('latin1');
          if (text === 'one') {
            reader.pause();
            dialled?.write('two');
            setImmediate(() => setImmediate(() => reader.resume()));
          } else if (text === 'onetwo') dialled?.end();
        },
        onEnd: () => finish(text === 'onetwo'),
        onClose: () => {},
      });
      socket.on('error', () => finish(false));
    });
    acceptor.listen(0, '127.0.0.1', () => {
      dialled = connect((acceptor.address() as AddressInfo).port, '127.0.0.1', () => dialled?.write('one'));
      dialled.on('error', () => finish(false));
    });
  });
}
