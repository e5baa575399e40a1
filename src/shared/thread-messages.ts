/**
 * What the main thread and its workers say to each other. A config reaches a
 * worker in two steps, so that it takes effect in all workers or in none:
 * `prepare` builds everything and binds what is new, `commit` swaps it in,
 * `abort` lets it go. Messages of one direction arrive in order.
 */
import type { BackendTableMemory } from './backend-table.ts';
import type { CounterPagesMemory } from './counter-pages.ts';
import type { LimitTableMemory } from './limit-table.ts';

/** Row numbers of a snapshot's parts, each list flat and in the snapshot's order. */
export interface SnapshotRows {
  readonly listeners: Int32Array;
  /** Of the routes of all listeners, listener by listener. */
  readonly routes: Int32Array;
  readonly pools: Int32Array;
  /** Of the backends of all pools, pool by pool. */
  readonly backends: Int32Array;
}

/** Given to a worker as its workerData. */
export interface WorkerStart {
  /** 0, 1, 2 …: stays with its replacement. */
  readonly index: number;
  readonly workers: number;
  /** Int32 cells, one a worker: counts turns of its loop, at least ten a second. */
  readonly heartbeats: SharedArrayBuffer;
  readonly limits: LimitTableMemory;
  /** Of a TicketMemory. */
  readonly tickets: SharedArrayBuffer;
  /** Folder that modules named by the config may load from; null: none. */
  readonly pluginsDir: string | null;
}

export type ToWorker =
  | {
      readonly kind: 'prepare';
      readonly snapshot: SharedArrayBuffer;
      readonly number: number;
      readonly rows: SnapshotRows;
      readonly table: BackendTableMemory;
      readonly counters: CounterPagesMemory;
      /** The port behind each bind of port 0, listener by listener, bind by bind; the written port elsewhere. */
      readonly ports: readonly (readonly number[])[];
    }
  | { readonly kind: 'commit'; readonly number: number }
  | { readonly kind: 'abort'; readonly number: number }
  /** Answers say `Connection: close` from now on (or no longer); accepting goes on. */
  | { readonly kind: 'shed'; readonly on: boolean }
  /** Listeners close, exchanges finish; `stopped` is sent when the last connection is gone. */
  | { readonly kind: 'stop' }
  /** After `stop`: connections that are still open are cut; `stopped` follows. */
  | { readonly kind: 'cut' }
  /** Writes what is buffered and opens the access log's file anew. */
  | { readonly kind: 'reopen-logs' }
  /** Throws outside any connection's boundary, to show that a worker is replaced. Sent by tests through the environment only. */
  | { readonly kind: 'crash' };

export type FromWorker =
  | { readonly kind: 'prepared'; readonly number: number }
  | { readonly kind: 'refused'; readonly number: number; readonly problems: readonly string[] }
  | { readonly kind: 'committed'; readonly number: number }
  | { readonly kind: 'stopped' }
  /** The connect to a backend given by name failed: look its name up again. */
  | { readonly kind: 'resolve'; readonly row: number }
  | { readonly kind: 'ejected'; readonly row: number; readonly forMs: number; readonly reason: string }
  | { readonly kind: 'log'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly text: string; readonly fields: Readonly<Record<string, unknown>> };
