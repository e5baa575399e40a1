/**
 * Members of a tier with a role pool `db`, in virtual time over one store in
 * memory: the real link and role keeper of each over rows of its own. What each
 * one's tier says of backends a test writes into the rows itself.
 */
import { seededRandom } from '../../src/base/random.ts';
import { besideText } from '../../src/control-plane/membership/beside.ts';
import { TierLink } from '../../src/control-plane/membership/tier-link.ts';
import { RoleKeeper, type RoleEvent } from '../../src/control-plane/roles/role-keeper.ts';
import type { RoleRecord } from '../../src/control-plane/store/role-records.ts';
import { StoreAway, type StoreHint, type TierStore } from '../../src/control-plane/store/tier-store.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import { tableTime } from '../../src/shared/backend-table.ts';
import { BackendRig, healthSpec } from './backend-rig.ts';
import { VirtualClock } from './virtual-clock.ts';

export const A = '10.0.0.1:6379';
export const B = '10.0.0.2:6379';
export const LEASE_MS = 3000;
const PACE = { heartbeatMs: 1000, leaseMs: LEASE_MS, probers: 3 };

export interface RoleTierOptions {
  readonly fence?: boolean;
  readonly hasStore?: boolean;
}

export class RoleTier {
  readonly clock = new VirtualClock();
  readonly store = new TierMemoryStore({ clock: this.clock, random: seededRandom(1) });
  readonly members: RoleMember[] = [];
  readonly options: RoleTierOptions;

  constructor(options: RoleTierOptions = {}) {
    this.options = options;
  }

  /** It begins to join, and holds this to be the primary. */
  add(id: string, primary = A): RoleMember {
    const member = new RoleMember(this, id);
    this.members.push(member);
    member.claim(primary);
    return member;
  }

  /** Ready members, of which each holds A to be the primary. */
  async up(...ids: readonly string[]): Promise<RoleMember[]> {
    for (const id of ids) this.add(id);
    await this.clock.advance(2 * LEASE_MS);
    return this.members;
  }

  /** What is served by anyone at any moment of so long, as a list of the addresses that are served at once. */
  async watch(forMs: number): Promise<string[]> {
    const seen = new Set<string>();
    for (let passedMs = 0; passedMs < forMs; passedMs += 10) {
      await this.clock.advance(10);
      seen.add([...new Set(this.serving.filter((serving) => serving !== null))].sort().join(' and '));
    }
    return [...seen];
  }

  /** All of them hold `address` alone to be the primary. */
  claim(...addresses: readonly string[]): void {
    for (const member of this.members) member.claim(...addresses);
  }

  get serving(): (string | null)[] {
    return this.members.map(({ serving }) => serving);
  }

  async stop(): Promise<void> {
    for (const member of this.members) member.stop();
    await this.store.close();
  }
}

export class RoleMember {
  readonly id: string;
  readonly backends = new BackendRig();
  readonly events: RoleEvent[] = [];
  readonly link: TierLink;
  readonly keeper: RoleKeeper;
  isCut = false;
  /** The store's, as it was read here last. */
  record: RoleRecord | null = null;
  /** Of the config it says it runs. */
  configSha = 'a';
  readonly #clock: VirtualClock;
  readonly #sinceMs = new Map<number, number>();

  constructor({ clock, store, options: { fence = false, hasStore = true } }: RoleTier, id: string) {
    this.id = id;
    this.#clock = clock;
    this.link = new TierLink({
      store: this.#wayTo(store), id, clock, random: seededRandom(id.charCodeAt(0)), previousIncarnation: null, history: () => null,
      timing: () => PACE, record: { zone: '', addresses: [], software: 'x', sinceMs: 0 }, log: { warn: () => undefined, error: () => undefined },
      newIncarnation: () => `${id}.${clock.monotonicMs()}`,
      events: {
        onVerdict: () => undefined, onOperatorState: () => undefined, onMembers: () => undefined, onSuspicions: () => undefined, onConfig: () => undefined,
        onTickets: () => undefined,
        onRole: (pool, record) => {
          this.record = record;
          this.keeper.accept(pool, record);
        },
        onRead: (sentMs) => this.keeper.read(sentMs),
        onState: () => this.keeper.linkChanged(),
      },
    });
    this.link.besideSource = () => besideText({ config: { number: 1, sha: this.configSha, effectiveSha: this.configSha } });
    this.keeper = new RoleKeeper({
      clock, membership: this.link, pace: () => PACE, log: { error: (text) => this.events.push({ pool: text } as RoleEvent) },
      claimedSinceMs: (row) => this.#sinceMs.get(row) ?? 0,
      onChange: (event) => this.events.push(event),
    });
    this.keeper.apply(this.backends.place({ name: 'db', backends: [A, B], health: healthSpec({ role: 'primary' }), fence }), hasStore);
    this.link.setState('ready');
  }

  /** Its config asks the pool for no role any more. */
  dropRole(sha: string): void {
    this.configSha = sha;
    this.keeper.apply(this.backends.place({ name: 'db', backends: [A, B], health: healthSpec() }), true);
  }

  claim(...addresses: readonly string[]): void {
    for (const address of [A, B]) {
      const row = this.backends.row('db', address);
      const verdict = addresses.includes(address) ? 'up' : 'down';
      if (row.verdict !== verdict) this.#sinceMs.set(this.backends.numberOf('db', address), this.#clock.wallMs());
      row.verdict = verdict;
    }
    this.keeper.verdictsChanged(['db']);
  }

  /** As workers would find it. */
  get serving(): string | null {
    if (this.backends.pool('db').isFenced(tableTime(this.#clock.monotonicMs()))) return null;
    const found = [A, B].filter((address) => !this.backends.row('db', address).withdrawn);
    return found.length === 1 ? found[0]! : null;
  }

  stop(): void {
    this.keeper.stop();
    void this.link.stop();
  }

  #wayTo(store: TierStore): TierStore {
    return new Proxy(store, {
      get: (target, name) => {
        const found = Reflect.get(target, name, target) as unknown;
        if (typeof found !== 'function') return found;
        if (name === 'subscribe') return (onHint: (hint: StoreHint) => void) => target.subscribe((hint) => void (this.isCut || onHint(hint)));
        return (...args: unknown[]): unknown => (this.isCut ? Promise.reject(new StoreAway('refused')) : (found as (...all: unknown[]) => unknown).apply(target, args));
      },
    });
  }
}
