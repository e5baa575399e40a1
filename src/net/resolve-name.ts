/**
 * Names of backends to addresses, off the data path: each name is looked up
 * once however many backends share it, when it is first wanted, every 30 s, and
 * after a failed connect, though not more than once a second. A lookup that
 * fails changes nothing if there is an address already.
 *
 * A name is one backend: of several addresses one is used. It stays for as long
 * as it is among the answers; after a failed connect the next of them follows
 * it (so that `localhost` finds what listens on one family alone).
 */
import { lookup } from 'node:dns';
import type { Clock, Timer } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import { Schedule } from '../base/schedule.ts';
import { errorCodeOf } from './dial.ts';

/** All literal IPs of a name, best first. Rejects with an error that has a `code`. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** getaddrinfo: hosts file, DNS, and whatever else this machine is set up for, in RFC 6724's order. */
export const systemLookup: Lookup = (name) =>
  new Promise((resolve, reject) => {
    lookup(name, { all: true, order: 'verbatim' }, (error, found) => {
      if (error) reject(error);
      else resolve(found.map(({ address }) => address));
    });
  });

export interface NameResolverOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly lookup: Lookup;
  /** The name has another address, or its first lookup has failed. */
  readonly onChange: (name: string) => void;
}

const PERIOD_MS = 30_000;
/** Either way, so that names first wanted together are not looked up together for ever. */
const PERIOD_JITTER_SHARE = 0.1;
const THROTTLE_MS = 1000;
/**
 * getaddrinfo blocks a thread of libuv's pool, which all threads of the process
 * share with file I/O. libuv itself lets such slow work have half the pool (two
 * of four), so these never hold up an access log; more would only queue there.
 */
const LOOKUPS_MAX = 4;
/** After this a lookup counts as failed, though its answer is still taken: getaddrinfo cannot be cancelled, and may take 20 s. */
const PATIENCE_MS = 5000;

interface Name {
  readonly name: string;
  address: string | null;
  failure: string | null;
  /** Address that a connect failed to since the last lookup began. */
  shunned: string | null;
  startedMs: number;
  isUnderWay: boolean;
  /** Asked for again while under way. */
  isStale: boolean;
}

export class NameResolver {
  readonly #options: NameResolverOptions;
  readonly #names = new Map<string, Name>();
  readonly #due: Schedule<Name>;
  readonly #queue = new Set<Name>();
  #underWay = 0;
  #isStopped = false;

  constructor(options: NameResolverOptions) {
    this.#options = options;
    this.#due = new Schedule(options.clock, (name) => this.#enqueue(name));
  }

  /** The names wanted from now on; others are forgotten. */
  want(names: ReadonlySet<string>): void {
    for (const [text, name] of this.#names) {
      if (names.has(text)) continue;
      this.#names.delete(text);
      this.#due.cancel(name);
      this.#queue.delete(name);
    }
    for (const text of names) {
      if (this.#names.has(text)) continue;
      const name: Name = { name: text, address: null, failure: null, shunned: null, startedMs: -Infinity, isUnderWay: false, isStale: false };
      this.#names.set(text, name);
      this.#enqueue(name);
    }
  }

  /** Literal IP; null: none is known. */
  addressOf(name: string): string | null {
    return this.#names.get(name)?.address ?? null;
  }

  /** Why there is no address (`name does not resolve: ENOTFOUND`); null: there is one, or the first lookup is still out. */
  failureOf(name: string): string | null {
    const known = this.#names.get(name);
    return known === undefined || known.address !== null ? null : known.failure;
  }

  /** A connect to the name's address has failed. */
  connectFailed(name: string): void {
    const known = this.#names.get(name);
    if (known === undefined) return;
    known.shunned = known.address;
    if (known.isUnderWay) known.isStale = true;
    else if (!this.#queue.has(known)) this.#due.at(known, Math.max(this.#options.clock.monotonicMs(), known.startedMs + THROTTLE_MS));
  }

  stop(): void {
    this.#isStopped = true;
    this.#due.stop();
    this.#queue.clear();
  }

  #enqueue(name: Name): void {
    this.#queue.add(name);
    this.#startQueued();
  }

  #startQueued(): void {
    for (const name of this.#queue) {
      if (this.#underWay >= LOOKUPS_MAX) return;
      this.#queue.delete(name);
      this.#look(name);
    }
  }

  #look(name: Name): void {
    const { clock } = this.#options;
    name.isUnderWay = true;
    name.isStale = false;
    name.startedMs = clock.monotonicMs();
    this.#underWay++;
    const patience: Timer = clock.after(PATIENCE_MS, () => this.#fail(name, `timed out after ${PATIENCE_MS} ms`));
    this.#options
      .lookup(name.name)
      .then(
        (addresses) => () => (addresses.length === 0 ? this.#fail(name, 'no address') : this.#choose(name, addresses)),
        (error: unknown) => () => this.#fail(name, errorCodeOf(error) || String(error)),
      )
      .then((settle) => {
        patience.cancel();
        this.#underWay--;
        name.isUnderWay = false;
        if (this.#isStopped) return;
        if (this.#names.get(name.name) === name) {
          settle();
          this.#plan(name);
        }
        this.#startQueued();
      })
      .catch((error: unknown) => {
        queueMicrotask(() => {
          throw error;
        });
      });
  }

  #plan(name: Name): void {
    const { random } = this.#options;
    const periodMs = PERIOD_MS * (1 + PERIOD_JITTER_SHARE * (2 * random.next() - 1));
    this.#due.at(name, name.startedMs + (name.isStale ? THROTTLE_MS : periodMs));
  }

  #choose(name: Name, addresses: readonly string[]): void {
    const former = name.address;
    const place = former === null ? -1 : addresses.indexOf(former);
    if (place === -1) name.address = addresses[0]!;
    else if (name.shunned === former) name.address = addresses[(place + 1) % addresses.length]!;
    name.shunned = null;
    name.failure = null;
    if (name.address !== former) this.#options.onChange(name.name);
  }

  #fail(name: Name, cause: string): void {
    const isNews = name.address === null && name.failure === null;
    name.failure = `name does not resolve: ${cause}`;
    if (isNews && this.#names.get(name.name) === name) this.#options.onChange(name.name);
  }
}
