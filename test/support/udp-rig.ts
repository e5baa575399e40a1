/** Real UDP clients and backends on loopback addresses, and an engine with one UDP listener between them. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { WorkerContext } from '../../src/data-plane/live/worker-context.ts';
import { bindExclusively } from '../../src/net/exclusive-bind.ts';
import { DROPS, listenerColumns, type Drop } from '../../src/shared/counter-pages.ts';
import { Engine, makeListener, makePool, type ListenerPatch, type PoolPatch } from './engine.ts';

export async function freeUdpPort(host: string | null = null): Promise<number> {
  const held = await bindExclusively(host, 0, 'udp');
  if (held.kind !== 'held') throw new Error(held.text);
  await held.release();
  return held.port;
}

const ASK_AGAIN_MS = 250;

export interface Heard {
  readonly bytes: Buffer;
  readonly from: RemoteInfo;
}

/** A socket that keeps what it received and can wait for it. */
export class UdpEnd {
  readonly socket: Socket;
  readonly heard: Heard[] = [];
  readonly #waiting: ((heard: Heard) => void)[] = [];
  #taken = 0;
  #isClosed = false;

  protected constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (bytes, from) => {
      const heard = { bytes, from };
      this.heard.push(heard);
      this.onHeard(heard);
      this.#waiting.shift()?.(heard);
    });
    socket.on('error', () => {});
  }

  static async open(host = '127.0.0.1'): Promise<UdpEnd> {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: 1024 * 1024 });
    const end = new this(socket);
    socket.bind(0, host);
    await once(socket, 'listening');
    return end;
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** What is heard next, in order, each once. */
  async next(): Promise<Heard> {
    if (this.#taken < this.heard.length) return this.heard[this.#taken++]!;
    this.#taken++;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  send(what: string | Buffer, port: number, host = '127.0.0.1'): Promise<void> {
    return new Promise((resolve, reject) => this.socket.send(what, port, host, (error) => (error === null ? resolve() : reject(error))));
  }

  /** Sends, and resolves with the text of what is heard next. */
  async ask(what: string, port: number, host = '127.0.0.1'): Promise<string> {
    const heard = this.next();
    await this.send(what, port, host);
    return (await heard).bytes.toString();
  }

  /** As clients of UDP do where a datagram may be lost: asks again until it is answered. `what` is asked once in this end's life. */
  async insist(what: string, port: number, host = '127.0.0.1'): Promise<string> {
    const isAnswer = ({ bytes }: Heard): boolean => bytes.toString().endsWith(`:${what}`);
    while (true) {
      await this.send(what, port, host);
      const giveUpAtMs = performance.now() + ASK_AGAIN_MS;
      while (performance.now() < giveUpAtMs) {
        const answer = this.heard.find(isAnswer);
        if (answer !== undefined) return answer.bytes.toString();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  /** Once or again. */
  close(): void {
    if (!this.#isClosed) this.socket.close();
    this.#isClosed = true;
  }

  protected onHeard(_heard: Heard): void {}
}

/** Answers each datagram with its name and the same bytes; `answer` may do otherwise. */
export class UdpBackend extends UdpEnd {
  answer: (heard: Heard, backend: UdpBackend) => void = ({ bytes, from }) => this.reply(from, `${this.name}:${bytes.toString('latin1')}`);
  name = 'echo';

  static async start(name = 'echo', host = '127.0.0.1'): Promise<UdpBackend> {
    const backend = (await this.open(host)) as UdpBackend;
    backend.name = name;
    return backend;
  }

  reply(to: RemoteInfo, what: string | Buffer): void {
    this.socket.send(typeof what === 'string' ? Buffer.from(what, 'latin1') : what, to.port, to.address);
  }

  /** The ports it was spoken to from: one a session. */
  get sources(): number[] {
    return [...new Set(this.heard.map(({ from }) => from.port))];
  }

  protected override onHeard(heard: Heard): void {
    this.answer(heard, this);
  }
}

export class UdpRig {
  readonly engine: Engine;
  readonly port: number;
  readonly ends: UdpEnd[] = [];

  constructor(engine: Engine, port: number) {
    this.engine = engine;
    this.port = port;
  }

  static async start(backendPorts: readonly number[], listener: ListenerPatch = {}, pool: PoolPatch = {}, host: string | null = '127.0.0.1', context: Partial<WorkerContext> = {}): Promise<UdpRig> {
    const port = await freeUdpPort(host);
    const engine = await Engine.start([udpListenerSpec(port, listener, host)], [makePool(backendPorts, pool)], context);
    return new UdpRig(engine, port);
  }

  async client(host = '127.0.0.1'): Promise<UdpEnd> {
    const client = await UdpEnd.open(host);
    this.ends.push(client);
    return client;
  }

  get sessions(): number {
    return this.engine.plane.openConnections;
  }

  /** A counter of the first listener. */
  count(column: 'datagramsIn' | 'datagramsOut' | 'bytesIn' | 'bytesOut' | 'connections' | 'connectionsTotal', listener = 0): number {
    const { cells, base } = this.engine.context.counters.listeners.at(listener);
    return cells[base + listenerColumns[column]]!;
  }

  dropped(reason: Drop, listener = 0): number {
    const { cells, base } = this.engine.context.counters.listeners.at(listener);
    return cells[base + listenerColumns.dropped + DROPS.indexOf(reason)]!;
  }

  /** Resolves once `holds`, looked at after each turn of the loop. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Time passes for deadlines, with a turn of the loop between any two ticks. */
  async pass(ms: number): Promise<void> {
    for (let tick = 0; tick < ms / 100; tick++) {
      this.engine.context.wheel.advance();
      this.engine.plane.tick(0);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  stop(): void {
    for (const end of this.ends) end.close();
    this.engine.plane.cut();
    this.engine.stop();
  }
}

export function udpListenerSpec(port: number, patch: ListenerPatch = {}, host: string | null = '127.0.0.1'): ReturnType<typeof makeListener> {
  const binds = [{ text: `${host ?? ''}:${port}`, host, port }];
  return makeListener(port, { protocol: 'udp', binds, ...patch, timeouts: { idleMs: 30_000, ...patch.timeouts } });
}
