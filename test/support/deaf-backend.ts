/** An address where connects are neither taken nor refused: its queue is full and nobody accepts. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';

const LISTEN_AND_STOP = `
const { parentPort } = require('node:worker_threads');
const acceptor = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  parentPort.postMessage(acceptor.address().port);
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
});`;

/** What the kernel queues for a backlog of 1. */
const QUEUED = 2;

export class DeafBackend {
  readonly port: number;
  readonly #thread: Worker;
  readonly #queued: readonly Socket[];

  private constructor(port: number, thread: Worker, queued: readonly Socket[]) {
    this.port = port;
    this.#thread = thread;
    this.#queued = queued;
  }

  static async start(): Promise<DeafBackend> {
    const thread = new Worker(LISTEN_AND_STOP, { eval: true });
    const [port] = (await once(thread, 'message')) as [number];
    const queued: Socket[] = [];
    for (let i = 0; i < QUEUED; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      queued.push(socket);
    }
    return new DeafBackend(port, thread, queued);
  }

  async stop(): Promise<void> {
    for (const socket of this.#queued) socket.destroy();
    await this.#thread.terminate();
  }
}
