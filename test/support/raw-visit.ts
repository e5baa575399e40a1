/** One exchange byte by byte, with what it weighed on the wire. */
import { connect } from 'node:net';
import { once } from 'node:events';

export interface RawVisit {
  readonly text: string;
  readonly sent: number;
  readonly received: number;
}

/** Sends `text`, shuts down, and reads to the end. */
export async function rawVisit(port: number, text: string): Promise<RawVisit> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setEncoding('latin1').write(text, 'latin1');
  let received = '';
  socket.on('data', (part: string) => (received += part));
  await once(socket, 'close');
  return { text: received, sent: socket.bytesWritten, received: socket.bytesRead };
}
