/** Backends that answer a probe of any type with what no protocol has, on real sockets of this machine. */
import type { Socket } from 'node:net';
import { seededRandom } from '../../src/base/random.ts';
import { OddBackend } from './odd-backends.ts';

const GARBAGE_BYTES = 3000;
const PIECE_BYTES = 64 * 1024;
const DRIP_MS = 1000;

export const hostileKinds: Readonly<Record<string, (socket: Socket) => void>> = {
  'sends garbage': (socket) => {
    const random = seededRandom(20_260_707);
    const garbage = (): boolean => socket.write(Buffer.from(Array.from({ length: GARBAGE_BYTES }, () => random.below(256))));
    garbage();
    socket.on('data', garbage);
  },
  'sends megabytes': (socket) => {
    const piece = Buffer.alloc(PIECE_BYTES, 'x');
    const more = (): void => void (socket.destroyed || socket.write(piece, () => setImmediate(more)));
    more();
  },
  'sends megabytes of line feeds': (socket) => {
    const piece = Buffer.alloc(PIECE_BYTES, '\n');
    const more = (): void => void (socket.destroyed || socket.write(piece, () => setImmediate(more)));
    more();
  },
  'sends a byte a second': (socket) => {
    const drip = (): void => void (socket.destroyed || socket.write('2'));
    drip();
    const timer = setInterval(drip, DRIP_MS);
    socket.once('close', () => clearInterval(timer));
  },
  'says nothing': (socket) => void socket.resume(),
  'closes at once': (socket) => void socket.end(),
  'closes when it is spoken to': (socket) => void socket.once('data', () => socket.end()),
  'resets': (socket) => void socket.resetAndDestroy(),
};

export function hostileBackend(kind: string): Promise<OddBackend> {
  // What floods goes on though the probe has closed.
  return OddBackend.start((socket) => hostileKinds[kind]!(socket), { allowHalfOpen: kind.startsWith('sends megabytes') });
}
