/**
 * The data plane of one worker inside the test's own process: real sockets,
 * no threads, a hand-made snapshot. For tests of the engine alone.
 */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { TICK_MS, TimerWheel } from '../../src/base/timer-wheel.ts';
import type { WorkerContext } from '../../src/data-plane/live/worker-context.ts';
import { WorkerPlane } from '../../src/data-plane/worker-plane.ts';
import { ownAddresses } from '../../src/net/own-addresses.ts';
import { TicketKeys } from '../../src/net/ticket-keys.ts';
import { chooseReader } from '../../src/net/read-from.ts';
import { chooseWriter } from '../../src/net/write-to.ts';
import { BackendTable } from '../../src/shared/backend-table.ts';
import { CounterPages } from '../../src/shared/counter-pages.ts';
import { TicketMemory } from '../../src/shared/ticket-memory.ts';
import { LimitTable } from '../../src/shared/limit-table.ts';
import type { BackendSpec, ListenerSpec, PoolSpec, RouteSpec, Snapshot } from '../../src/shared/snapshot.ts';
import type { FromWorker } from '../../src/shared/thread-messages.ts';

export type RoutePatch = Partial<RouteSpec>;
export type ListenerPatch = Partial<Omit<ListenerSpec, 'limits' | 'timeouts' | 'routes'>> & {
  limits?: Partial<ListenerSpec['limits']>;
  timeouts?: Partial<ListenerSpec['timeouts']>;
  routes?: RoutePatch[];
};
export type PoolPatch = Partial<Omit<PoolSpec, 'backends'>> & { backends?: Partial<BackendSpec>[] };

export function makeRoute(patch: RoutePatch = {}): RouteSpec {
  return {
    name: 'all',
    match: { host: null, path: null, method: null, header: null, query: null, cookie: null, source: null, sni: null, alpn: null },
    action: { kind: 'pool', pool: 'web' },
    rewrite: null,
    requestHeaders: null,
    responseHeaders: null,
    timeouts: { responseMs: 60_000, idleMs: 300_000, totalMs: 0 },
    rateLimit: null,
    retry: null,
    ...patch,
  };
}

export function makeListener(port: number, patch: ListenerPatch = {}): ListenerSpec {
  return {
    name: 'front',
    protocol: 'http',
    proxyProtocol: 'off',
    tls: null,
    binds: [{ text: `127.0.0.1:${port}`, host: '127.0.0.1', port }],
    trustedProxies: [],
    via: false,
    forwarded: false,
    http2: true,
    ...patch,
    limits: { connections: 20_000, headerBytesMax: 32_768, headerCountMax: 128, bodyBytesMax: 0, responsesMax: 0, handshakesMax: 1000, streamsMax: 100, resetsMax: 200, controlFramesMax: 2000, ...patch.limits },
    timeouts: { headerMs: 10_000, bodyMs: 30_000, sendMs: 60_000, idleMs: 60_000, tunnelMs: 3_600_000, ...patch.timeouts },
    routes: (patch.routes ?? [{}]).map(makeRoute),
  };
}

export function makePool(ports: readonly number[], patch: PoolPatch = {}): PoolSpec {
  const backends = patch.backends ?? ports.map((port) => ({ port }));
  return {
    name: 'web',
    algorithm: { name: 'round-robin', module: null, options: {}, key: { kind: 'client-ip', name: '' } },
    protocol: 'http1',
    proxyProtocol: 'off',
    tls: null,
    onDown: 'keep',
    fence: false,
    health: [],
    outlier: null,
    panicShare: 0.5,
    connections: { perBackend: 0, connectTimeoutMs: 2000, idleMs: 4000 },
    ...patch,
    backends: backends.map((backend) => ({
      address: `127.0.0.1:${backend.port}`,
      host: '127.0.0.1',
      port: 0,
      named: false,
      weight: 1,
      priority: 0,
      state: 'ready',
      ...backend,
    })),
  };
}

export function makeSnapshot(listeners: ListenerSpec[], pools: PoolSpec[], number = 1): Snapshot {
  return {
    number,
    sha: '',
    effectiveSha: '',
    listeners,
    pools,
    tier: { name: 'default', store: 'none', heartbeatMs: 1000, leaseMs: 3000, probers: 3 },
    drain: { delayMs: 5000, timeoutMs: 20_000, removedMs: 600_000 },
    admin: { bind: { text: '127.0.0.1:9900', host: '127.0.0.1', port: 9900 }, token: null, readToken: null },
    log: { level: 'info', format: 'json', access: { format: 'off', to: 'stdout' } },
  };
}

/** Once a process, as a worker does: it sends 16 MiB to itself. */
let chosen: Promise<unknown> | null = null;

export class Engine {
  readonly messages: FromWorker[] = [];
  readonly context: WorkerContext;
  readonly plane: WorkerPlane;
  readonly #tick: { cancel(): void };
  #number = 0;

  private constructor(context: WorkerContext) {
    this.context = context;
    this.plane = new WorkerPlane(context);
    this.#tick = systemClock.every(TICK_MS, () => {
      context.wheel.advance();
      this.plane.tick(systemClock.monotonicMs());
    });
  }

  static async start(listeners: ListenerSpec[], pools: PoolSpec[], patch: Partial<WorkerContext> = {}): Promise<Engine> {
    await (chosen ??= Promise.all([chooseReader(), chooseWriter()]));
    const messages: FromWorker[] = [];
    const context: WorkerContext = {
      index: 0,
      clock: systemClock,
      random: seededRandom(1),
      wheel: new TimerWheel(),
      table: new BackendTable(),
      counters: new CounterPages(),
      limits: LimitTable.create(1, new Int32Array([1, 2]), 0),
      tickets: new TicketKeys(TicketMemory.create(randomFillSync)),
      pluginsDir: null,
      ownAddresses,
      accessLog: null,
      isShedding: false,
      isStopping: false,
      send: (message) => void messages.push(message),
      log: (level, text, fields) => void messages.push({ kind: 'log', level, text, fields }),
      ...patch,
    };
    const engine = new Engine(context);
    engine.messages.push = (...items) => messages.push(...items);
    Object.defineProperty(engine, 'messages', { value: messages });
    await engine.load(listeners, pools);
    return engine;
  }

  /** Applies another config; rows are given out by position, every backend is up. */
  async load(listeners: ListenerSpec[], pools: PoolSpec[]): Promise<void> {
    const number = ++this.#number;
    const counts = {
      listeners: listeners.length,
      routes: listeners.reduce((sum, listener) => sum + listener.routes.length, 0),
      pools: pools.length,
      backends: pools.reduce((sum, pool) => sum + pool.backends.length, 0),
    };
    const { table, counters } = this.context;
    table.ensure({ backends: counts.backends, pools: counts.pools, listeners: counts.listeners });
    counters.ensure(counts);
    let row = 0;
    for (const pool of pools) {
      for (const backend of pool.backends) {
        const live = table.backend(row++);
        live.verdict = 'up';
        live.state = backend.state;
        live.weight = backend.weight;
      }
    }
    const rows = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);
    await this.plane.prepare(
      makeSnapshot(listeners, pools, number),
      number,
      { listeners: rows(counts.listeners), routes: rows(counts.routes), pools: rows(counts.pools), backends: rows(counts.backends) },
      listeners.map((listener) => listener.binds.map((bind) => bind.port)),
    );
    this.plane.commit(number);
  }

  stop(): void {
    this.plane.stop();
    this.#tick.cancel();
  }
}

/** A raw TCP origin: `onBytes` gets all bytes of a connection so far. */
export class RawOrigin {
  readonly sockets: Socket[] = [];
  port = 0;
  #acceptor = createServer({ allowHalfOpen: true });

  static async start(onConnection: (socket: Socket, origin: RawOrigin) => void): Promise<RawOrigin> {
    const origin = new RawOrigin();
    origin.#acceptor.on('connection', (socket) => {
      origin.sockets.push(socket);
      socket.on('error', () => {});
      onConnection(socket, origin);
    });
    origin.#acceptor.listen(0, '127.0.0.1');
    await once(origin.#acceptor, 'listening');
    origin.port = (origin.#acceptor.address() as AddressInfo).port;
    return origin;
  }

  stop(): void {
    this.#acceptor.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** A client that keeps what it received and can wait for it. */
export class RawClient {
  received = '';
  isEnded = false;
  isClosed = false;
  error: NodeJS.ErrnoException | null = null;
  readonly socket: Socket;
  #wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    const wake = (): void => {
      const waiting = this.#wake;
      this.#wake = [];
      for (const resume of waiting) resume();
    };
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
      wake();
    });
    socket.on('end', () => {
      this.isEnded = true;
      wake();
    });
    socket.on('error', (error) => {
      this.error = error;
      wake();
    });
    socket.on('close', () => {
      this.isClosed = true;
      wake();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** Resolves once `condition` holds of what came so far; rejects with it if the connection ends first. */
  async until(condition: (received: string) => boolean): Promise<string> {
    while (!condition(this.received)) {
      if (this.isEnded || this.isClosed) throw new Error(`the connection ended after: ${JSON.stringify(this.received.slice(0, 2000))}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
    return this.received;
  }

  async untilEnd(): Promise<string> {
    while (!this.isEnded && !this.isClosed) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Sends `request`, closes nothing, and resolves with all that came once the connection ended. */
export async function exchangeToEnd(port: number, request: string): Promise<string> {
  const client = await RawClient.open(port);
  client.send(request);
  const received = await client.untilEnd();
  client.close();
  return received;
}
