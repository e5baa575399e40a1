/**
 * The contract of a listener kind: sockets of one listener in one worker. It
 * outlives snapshots: `setLive` gives it the next one, which the next request
 * of every open connection is held to.
 */
import type { LiveListener } from '../live/live-listener.ts';
import type { WorkerContext } from '../live/worker-context.ts';
import type { Pipeline } from '../pipeline.ts';

export interface Listener {
  readonly name: string;
  /** The last one given. */
  readonly live: LiveListener;
  readonly openConnections: number;
  /**
   * Binds these ports of the given addresses (null host: all). Connections
   * that arrive before `accept` wait; nothing is answered.
   * @throws the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …), with nothing left bound of this call
   */
  bind(addresses: readonly BindAddress[]): Promise<void>;
  /** From now on connections are served. Call it again after each further `bind`. */
  accept(): void;
  /** Unbinds all but these; open connections stay. */
  keepOnly(addresses: readonly BindAddress[]): void;
  isBound(address: BindAddress): boolean;
  setLive(live: LiveListener): void;
  /**
   * No longer in the config, or the proxy stops: closes the sockets it listens
   * on. Answers say `Connection: close`; connections at rest close once they
   * have been silent for a while.
   */
  retire(): void;
  /** The coarse tick: what happens with time alone. */
  tick(): void;
  /** Ends every connection. */
  cut(): void;
}

export interface BindAddress {
  readonly host: string | null;
  readonly port: number;
}

export interface ListenerKind {
  /** As written in `protocol`. */
  readonly name: string;
  readonly summary: string;
  create(live: LiveListener, pipeline: Pipeline, context: WorkerContext): Listener;
}
