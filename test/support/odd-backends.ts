/** Backends that behave in some way a probe meets, on real sockets of this machine. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class OddBackend {
  readonly #listening: Server;
  readonly sockets = new Set<Socket>();
  /** Everything received, latin1. */
  received = '';
  connections = 0;
  /** Codes of errors on accepted sockets: ECONNRESET means that the other side reset. */
  readonly errors: string[] = [];

  private constructor(onSocket: (socket: Socket, backend: OddBackend) => void, allowHalfOpen: boolean) {
    this.#listening = createServer({ allowHalfOpen }, (socket) => {
      this.connections++;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', (error: NodeJS.ErrnoException) => this.errors.push(error.code ?? ''));
      socket.on('data', (bytes) => (this.received += bytes.toString('latin1')));
      onSocket(socket, this);
    });
  }

  static async start(onSocket: (socket: Socket, backend: OddBackend) => void = () => undefined, { allowHalfOpen = false, host = '127.0.0.1' } = {}): Promise<OddBackend> {
    const backend = new OddBackend(onSocket, allowHalfOpen);
    await new Promise<void>((resolve, reject) => backend.#listening.once('error', reject).listen(0, host, resolve));
    return backend;
  }

  /** Sends `text` to each request, once its head has come, and closes if told to. */
  static answering(text: string, { close = true } = {}): Promise<OddBackend> {
    return OddBackend.start((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from(text, 'latin1'));
        if (close) socket.end();
      });
    });
  }

  get port(): number {
    return (this.#listening.address() as AddressInfo).port;
  }

  /** Resolves when no connection is open any more. */
  async idle(): Promise<void> {
    while (this.sockets.size > 0) await new Promise((resolve) => [...this.sockets][0]!.once('close', resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#listening.close(resolve));
  }
}

/** A port of 127.0.0.1 that refuses: just used, and let go. */
export async function refusingPort(): Promise<number> {
  const backend = await OddBackend.start();
  const { port } = backend;
  await backend.stop();
  return port;
}
