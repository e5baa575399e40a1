/**
 * Writing to a socket that only this is used on, with the least work per
 * write. Calling the socket's own `_write` spares the stream's queue and its
 * two ticks a write (0.7 µs, measured); and its callback, which comes before
 * it returns where the kernel takes all, tells at once whether it did. That
 * leans on how a socket implements its stream, so a self-test at start says
 * whether it holds on this runtime, and `write` is used where it does not.
 */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

export type WriteDone = (error?: Error | null) => void;

let usesDirect = false;

/**
 * Hands `bytes` over; they must not change before `done`. Where the kernel
 * takes all of them at once `done` is called before this returns (never so
 * with the fallback). One at a time: not again before `done`, and the socket
 * is connected. `destroy` and `resetAndDestroy` are used as ever.
 */
export function writeTo(socket: Socket, bytes: Buffer, done: WriteDone): void {
  if (usesDirect) socket._write(bytes, 'buffer' as BufferEncoding, done);
  else socket.write(bytes, done);
}

/**
 * The same for who has no place for a `done` that always comes late: false,
 * with nothing written, where writes are not direct. What is written behind it
 * by the socket's own `write` keeps its place.
 */
export function writeDirectly(socket: Socket, bytes: Buffer, done: WriteDone): boolean {
  if (usesDirect) socket._write(bytes, 'buffer' as BufferEncoding, done);
  return usesDirect;
}

/** FIN behind all that was written. `done` is told of a failure, too. */
export function endWriting(socket: Socket, done: WriteDone): void {
  if (usesDirect) socket._final(done);
  else socket.end();
}

/** Tries direct writes on a real connection: one that fits, one that does not, one by the stream and an end behind it. Call once at start. */
export async function chooseWriter(): Promise<'direct' | 'stream'> {
  usesDirect = await directWritesWork().catch(() => false);
  return usesDirect ? 'direct' : 'stream';
}

const SELF_TEST_MS = 1000;
const SMALL_BYTES = 100;
/** More than any socket buffer takes at once. */
const LARGE_BYTES = 16 * 1024 * 1024;
const LAST_BYTE = 1;

function directWritesWork(): Promise<boolean> {
  return new Promise((resolve) => {
    const acceptor = createServer({ allowHalfOpen: true });
    const deadline = setTimeout(() => finish(false), SELF_TEST_MS);
    const opened: Socket[] = [];
    const finish = (works: boolean): void => {
      clearTimeout(deadline);
      acceptor.close();
      for (const socket of opened) socket.destroy();
      resolve(works);
    };
    acceptor.on('error', () => finish(false));
    acceptor.on('connection', (socket) => {
      opened.push(socket);
      socket.on('error', () => finish(false));
      tryWrites(socket, finish);
    });
    acceptor.listen(0, '127.0.0.1', () => {
      const reader = connect((acceptor.address() as AddressInfo).port, '127.0.0.1');
      opened.push(reader);
      let received = 0;
      let last = 0;
      reader.on('error', () => finish(false));
      reader.on('data', (bytes: Buffer) => {
        received += bytes.length;
        last = bytes.at(-1)!;
      });
      reader.on('end', () => finish(received === SMALL_BYTES + LARGE_BYTES + 1 && last === LAST_BYTE));
    });
  });
}

function tryWrites(socket: Socket, finish: (works: boolean) => void): void {
  let done = 0;
  const onDone: WriteDone = (error) => {
    done++;
    if (error) finish(false);
  };
  socket._write(Buffer.alloc(SMALL_BYTES), 'buffer' as BufferEncoding, onDone);
  if (done !== 1) return finish(false);
  socket._write(Buffer.alloc(LARGE_BYTES), 'buffer' as BufferEncoding, onDone);
  if (done !== 1) return finish(false);
  // The stream's own writes, and the FIN, must come behind what is still on its way.
  socket.write(Buffer.of(LAST_BYTE));
  socket._final((error) => {
    if (error) finish(false);
  });
}
