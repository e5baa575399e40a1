/** One engine with a tcp listener in front of raw origins: what most scenarios of tcp need. */
import type { Socket } from 'node:net';
import { afterEach } from 'vitest';
import { listenerColumns } from '../../src/shared/counter-pages.ts';
import { Engine, makeListener, makePool, RawClient, RawOrigin, type ListenerPatch, type PoolPatch } from './engine.ts';
import { freePort } from './free-port.ts';

export interface TcpPatch {
  listener?: ListenerPatch;
  pool?: PoolPatch;
  /** Ports of backends in front of the origins. */
  before?: readonly number[];
}

export interface TcpScenario {
  readonly engine: Engine;
  readonly origins: readonly RawOrigin[];
  readonly port: number;
  client(): Promise<RawClient>;
  /** Applies the config again, patched. */
  reload(patch: TcpPatch): Promise<void>;
}

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

export type OnConnection = (socket: Socket, origin: RawOrigin) => void;

/** Sends everything back, and ends when it is ended. */
export const echo: OnConnection = (socket) => void socket.pipe(socket);

/** `onConnection` of one origin, or of several. */
export async function tcpScenario(onConnection: OnConnection | readonly OnConnection[], options: TcpPatch = {}): Promise<TcpScenario> {
  const origins = await Promise.all([onConnection].flat().map((each) => RawOrigin.start(each)));
  const port = await freePort();
  const ports = origins.map((origin) => origin.port);
  const parts = (patch: TcpPatch): Parameters<Engine['load']> => [
    [makeListener(port, { protocol: 'tcp', ...options.listener, ...patch.listener })],
    [makePool([...(options.before ?? []), ...ports], { ...options.pool, ...patch.pool })],
  ];
  const engine = await Engine.start(...parts({}));
  toStop.push(() => engine.plane.cut(), () => engine.stop(), ...origins.map((origin) => () => origin.stop()));
  return {
    engine,
    origins,
    port,
    async client() {
      const opened = await RawClient.open(port);
      toStop.push(() => opened.close());
      return opened;
    },
    reload: (patch) => engine.load(...parts(patch)),
  };
}

/** Turns the loop until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** One of the engine's counters of its listener. */
export function listenerCount({ engine }: TcpScenario, column: number): number {
  const { cells, base } = engine.context.counters.listeners.at(0);
  return cells[base + column]!;
}

export const openConnections = (scenario: TcpScenario): number => listenerCount(scenario, listenerColumns.connections);
