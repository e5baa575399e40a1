/**
 * Reads of a socket into buffers of its owner's, as `onread` has it of sockets
 * that take it. Those of TLS do, but go on to fill the same buffer after they
 * were told to stop; here nothing is put into a buffer before its owner wants
 * more.
 */
import type { Socket } from 'node:net';

export interface FedReader {
  /** The buffer for the next read; undefined: the same as before. */
  nextBuffer(): Uint8Array | undefined;
  /** `count` bytes are in it. False: no more for now, until the socket is resumed. */
  onRead(count: number): boolean;
}

export function feedBuffer(socket: Socket, reader: FedReader): void {
  let buffer: Uint8Array = new Uint8Array(0);
  socket.on('data', (bytes: Buffer) => {
    for (let at = 0; at < bytes.length && !socket.destroyed; ) {
      buffer = reader.nextBuffer() ?? buffer;
      const count = Math.min(buffer.length, bytes.length - at);
      bytes.copy(buffer, 0, at, at + count);
      at += count;
      if (reader.onRead(count)) continue;
      socket.pause();
      if (at < bytes.length) socket.unshift(bytes.subarray(at));
      return;
    }
  });
}
