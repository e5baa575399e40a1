/** A port of its own in front of another, which hands on what comes `delayMs` later, both ways. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class SlowPort {
  /** For what comes from now on. */
  delayMs = 0;
  port = 0;
  readonly #acceptor: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number) {
    this.#acceptor = createServer((client) => this.#join(client, connect(port, '127.0.0.1')));
  }

  /** `at`: a port it had before; else a free one. */
  static async start(to: number, at = 0): Promise<SlowPort> {
    const slow = new SlowPort(to);
    slow.#acceptor.listen(at, '127.0.0.1');
    await once(slow.#acceptor, 'listening');
    slow.port = (slow.#acceptor.address() as AddressInfo).port;
    return slow;
  }

  async stop(): Promise<void> {
    const closed = once(this.#acceptor, 'close');
    this.#acceptor.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(one: Socket, other: Socket): void {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      this.#sockets.add(from);
      from.on('data', (bytes) => setTimeout(() => to.write(bytes), this.delayMs));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
