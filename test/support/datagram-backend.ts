/** A backend over UDP that behaves in some way a probe meets, on a real socket of this machine. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

export type AnswerDatagram = (bytes: Buffer | string) => void;

export class DatagramBackend {
  readonly #socket: Socket;
  /** latin1. */
  readonly received: string[] = [];
  readonly #senders = new Set<number>();
  readonly errors: string[] = [];
  #isStopped = false;

  private constructor(onDatagram: (bytes: Buffer, answer: AnswerDatagram, from: RemoteInfo) => void, socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => this.errors.push(error.code ?? ''));
    socket.on('message', (bytes, from) => {
      this.received.push(bytes.toString('latin1'));
      this.#senders.add(from.port);
      onDatagram(bytes, (answer) => this.#send(answer, from), from);
    });
  }

  static async start(onDatagram: (bytes: Buffer, answer: AnswerDatagram, from: RemoteInfo) => void = () => undefined, host = '127.0.0.1'): Promise<DatagramBackend> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, host);
    await once(socket, 'listening');
    return new DatagramBackend(onDatagram, socket);
  }

  /** Whoever asked may have gone: then it is lost, as datagrams are. */
  #send(answer: Buffer | string, { port, address }: RemoteInfo): void {
    if (!this.#isStopped) this.#socket.send(answer, port, address, () => undefined);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Sockets it heard from. */
  get connections(): number {
    return this.#senders.size;
  }

  /** There is nothing to be left open on its side. */
  async idle(): Promise<void> {}

  async stop(): Promise<void> {
    this.#isStopped = true;
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }
}

/** A port of 127.0.0.1 where datagrams are refused: just used, and let go. */
export async function refusingUdpPort(): Promise<number> {
  const backend = await DatagramBackend.start();
  const { port } = backend;
  await backend.stop();
  return port;
}
