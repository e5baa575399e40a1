/** TLS clients of the tests: one connection that keeps what it received, and what its handshake came to. */
import { once } from 'node:events';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

export class TlsVisitor {
  received = '';
  isEnded = false;
  isClosed = false;
  error: NodeJS.ErrnoException | null = null;
  /** The latest that may be taken up again. */
  session: Buffer | null = null;
  readonly socket: TLSSocket;
  #wake: (() => void)[] = [];

  constructor(socket: TLSSocket) {
    this.socket = socket;
    const note = (set: () => void) => (): void => {
      set();
      for (const wake of this.#wake.splice(0)) wake();
    };
    socket.on('data', (bytes: Buffer) => note(() => (this.received += bytes.toString('latin1')))());
    socket.on('session', (session: Buffer) => note(() => (this.session = session))());
    socket.on('end', note(() => (this.isEnded = true)));
    socket.on('close', note(() => (this.isClosed = true)));
    socket.on('error', (error: NodeJS.ErrnoException) => note(() => (this.error = error))());
  }

  /** Resolves once the handshake is done; rejects with the error it ended in. */
  static async open(port: number, options: ConnectionOptions = {}): Promise<TlsVisitor> {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...options });
    const visitor = new TlsVisitor(socket);
    await Promise.race([once(socket, 'secureConnect'), once(socket, 'close').then(() => Promise.reject(new Error('closed before the handshake was done')))]);
    return visitor;
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  async until(condition: (received: string) => boolean): Promise<string> {
    while (!condition(this.received)) {
      if (this.isEnded || this.isClosed) throw new Error(`the connection ended after: ${JSON.stringify(this.received.slice(0, 2000))}`);
      await this.#change();
    }
    return this.received;
  }

  async untilSession(): Promise<Buffer> {
    while (this.session === null) await this.#change();
    return this.session;
  }

  async untilEnd(): Promise<string> {
    while (!this.isEnded && !this.isClosed) await this.#change();
    return this.received;
  }

  async untilClosed(): Promise<string> {
    while (!this.isClosed) await this.#change();
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }
}
