/**
 * A connection to the tier's Redis that is always being had: made at the first
 * use, and made anew a random part of `reconnectWithinMs` after it was lost.
 * Whatever is sent over it is answered within `timeoutMs` or rejects with
 * StoreAway; silence for so long, or an answer of a server that is not the one
 * to talk to, drops the connection, and with it all that waits on it. Nothing
 * is ever sent twice. Owned by RedisStore.
 */
import { assert } from '../../../base/assert.ts';
import type { Clock, Timer } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import { StoreAway } from '../tier-store.ts';
import { awayReason, endsConnection } from './away-reason.ts';
import { openRedisClient, type RedisClient } from './redis-client.ts';
import type { RedisTarget } from './redis-target.ts';

export interface RedisConnectionOptions {
  readonly target: RedisTarget;
  readonly timeoutMs: number;
  readonly reconnectWithinMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Each time it is there. */
  readonly onReady?: (client: RedisClient) => void;
  /** Each time it is lost. */
  readonly onLost?: () => void;
}

/** Something sent, or about to be. */
interface Pending {
  reject(reason: StoreAway): void;
}

type State = 'idle' | 'connecting' | 'ready' | 'waiting' | 'closed';

export class RedisConnection {
  readonly #options: RedisConnectionOptions;
  readonly #pending = new Set<Pending>();
  /** Called when the connection is there. */
  readonly #starts = new Set<(client: RedisClient) => void>();
  #state: State = 'idle';
  #client: RedisClient | null = null;
  #reconnect: Timer | null = null;
  /** Why the last connection ended; said to those who ask before the next one is there. */
  #lostReason = '';
  /** What the client said of the connection it is losing. */
  #lastError: unknown = null;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
  }

  open(): void {
    if (this.#state === 'idle') this.#connect();
  }

  /** `use` is given the client once, when it is connected. While the next connection is being waited for this rejects at once. */
  send<T>(use: (client: RedisClient) => Promise<T>): Promise<T> {
    this.open();
    if (this.#state === 'closed' || this.#state === 'waiting') return Promise.reject(new StoreAway(this.#lostReason));
    return new Promise((resolve, reject) => {
      const { clock, timeoutMs } = this.#options;
      const timer = clock.after(timeoutMs, () => this.#lose(`no answer in ${timeoutMs} ms`));
      const settle = (): void => {
        timer.cancel();
        this.#pending.delete(pending);
        this.#starts.delete(start);
      };
      const pending: Pending = {
        reject: (reason) => {
          settle();
          reject(reason);
        },
      };
      const start = (client: RedisClient): void => {
        this.#starts.delete(start);
        use(client).then(
          (answer) => {
            settle();
            resolve(answer);
          },
          (error: unknown) => {
            settle();
            this.#noteFailure(client, error);
            reject(error instanceof StoreAway ? error : new StoreAway(this.#reasonOf(error), { cause: error }));
          },
        );
      };
      this.#pending.add(pending);
      if (this.#state === 'ready') start(this.#client!);
      else this.#starts.add(start);
    });
  }

  /** As if it had been lost. */
  drop(reason: string): void {
    if (this.#state === 'connecting' || this.#state === 'ready') this.#lose(reason);
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#reconnect?.cancel();
    this.#end('closed');
    this.#state = 'closed';
  }

  #connect(): void {
    const client = openRedisClient(this.#options.target, this.#options.timeoutMs);
    this.#client = client;
    this.#state = 'connecting';
    this.#lastError = null;
    client.on('error', (error: unknown) => {
      if (client === this.#client) this.#lastError = error;
    });
    client.on('ready', () => {
      void this.#greet(client);
    });
    client.on('end', () => {
      if (client === this.#client) this.#lose(this.#lastError === null ? 'connection lost' : awayReason(this.#lastError));
    });
    // Its failure comes as the events above.
    client.connect().catch(() => undefined);
  }

  /**
   * A server that wants a login closes on a script's many words before it says so; a word as short as this it answers.
   * One that may not be said by this user was understood all the same.
   */
  async #greet(client: RedisClient): Promise<void> {
    const error: unknown = await client.ping().then(
      () => null,
      (failure: unknown) => failure,
    );
    if (client !== this.#client || this.#state !== 'connecting') return;
    if (error !== null && endsConnection(error)) this.#lose(this.#reasonOf(error));
    else this.#ready(client);
  }

  #ready(client: RedisClient): void {
    this.#state = 'ready';
    this.#options.onReady?.(client);
    for (const start of [...this.#starts]) start(client);
  }

  #noteFailure(client: RedisClient, error: unknown): void {
    if (client === this.#client && endsConnection(error)) this.#lose(this.#reasonOf(error));
  }

  /** A client that is losing its connection rejects what was sent with less than it knows. */
  #reasonOf(error: unknown): string {
    const reason = awayReason(error);
    return reason === 'connection lost' && this.#lastError !== null ? awayReason(this.#lastError) : reason;
  }

  #lose(reason: string): void {
    assert(this.#state !== 'idle', 'what was never opened is not lost');
    if (this.#state === 'waiting' || this.#state === 'closed') return;
    this.#end(reason);
    this.#state = 'waiting';
    const { clock, random, reconnectWithinMs, onLost } = this.#options;
    this.#reconnect = clock.after(random.next() * reconnectWithinMs, () => {
      this.#reconnect = null;
      this.#connect();
    });
    onLost?.();
  }

  #end(reason: string): void {
    this.#lostReason = reason;
    const client = this.#client;
    this.#client = null;
    client?.disconnect();
    for (const pending of [...this.#pending]) pending.reject(new StoreAway(reason));
  }
}
