/**
 * The two ends of the UDP rows, each a process of its own: `echo PORT` answers
 * every datagram with itself; `load PORT SESSIONS` keeps one datagram under way
 * on each of its sockets and tells its parent how many came back.
 */
import { createSocket, type Socket } from 'node:dgram';

const BYTES = 64;
/** A datagram that was lost must not end its socket's part for good. */
const LOST_AFTER_MS = 500;

const [role, port, sessions] = process.argv.slice(2);
const lookup = (host: string, _family: unknown, callback: (error: null, address: string, family: number) => void): void => callback(null, host, 4);
const open = (): Socket => createSocket({ type: 'udp4', lookup, recvBufferSize: 4 * 1024 * 1024 });

if (role === 'echo') {
  const socket = open();
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address));
  socket.bind(Number(port), '127.0.0.1', () => process.send!('ready'));
} else {
  const bytes = Buffer.alloc(BYTES, 'x');
  let answers = 0;
  const sockets = Array.from({ length: Number(sessions) }, () => {
    const socket = open();
    const client = { socket, heardMs: 0 };
    socket.on('message', (answer) => {
      if (answer.length !== BYTES) throw new Error(`an answer of ${answer.length} bytes`);
      answers++;
      client.heardMs = performance.now();
      socket.send(bytes);
    });
    socket.connect(Number(port), '127.0.0.1', () => socket.send(bytes));
    return client;
  });
  setInterval(() => {
    const nowMs = performance.now();
    for (const { socket, heardMs } of sockets) if (nowMs - heardMs > LOST_AFTER_MS) socket.send(bytes);
  }, LOST_AFTER_MS);
  process.on('message', () => process.send!(answers));
  process.on('disconnect', () => process.exit());
  process.send!('ready');
}
