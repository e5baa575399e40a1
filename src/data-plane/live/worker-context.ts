/** What every part of a worker's data plane shares: time, counters, the log, and how the process stands. */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { TimerWheel } from '../../base/timer-wheel.ts';
import type { ListAddresses } from '../../net/own-addresses.ts';
import type { TicketKeys } from '../../net/ticket-keys.ts';
import type { AccessLog } from '../../observe/access-log.ts';
import type { BackendTable } from '../../shared/backend-table.ts';
import type { CounterPages } from '../../shared/counter-pages.ts';
import type { LimitTable } from '../../shared/limit-table.ts';
import type { FromWorker } from '../../shared/thread-messages.ts';

export interface WorkerContext {
  readonly index: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly wheel: TimerWheel;
  readonly table: BackendTable;
  readonly counters: CounterPages;
  readonly limits: LimitTable;
  readonly tickets: TicketKeys;
  readonly pluginsDir: string | null;
  /** What a wildcard of UDP is bound to. */
  readonly ownAddresses: ListAddresses;
  /** null while the access log is off. */
  accessLog: AccessLog | null;
  /** Answers say `Connection: close`: this proxy is leaving rotation. */
  isShedding: boolean;
  /** Listeners are closed: connections close as they come to rest. */
  isStopping: boolean;
  send(message: FromWorker): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string, fields: Readonly<Record<string, unknown>>): void;
}
