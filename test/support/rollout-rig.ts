/**
 * A tier in virtual time: members with the real link and the real rollout over
 * the memory store, each with a disk and an applier of its own that are kept in
 * memory. A config is a text; what an applier makes of it stands in it:
 * `refuse=ID` and `fail=ID` name members that refuse to check or to run it.
 */
import { seededRandom, type Random } from '../../src/base/random.ts';
import { besideText } from '../../src/control-plane/membership/beside.ts';
import type { MembershipEvents } from '../../src/control-plane/membership/membership.ts';
import { TierLink } from '../../src/control-plane/membership/tier-link.ts';
import type { Answers, ApplyOutcome, ConfigApplier, Refusal, RunningVersion } from '../../src/control-plane/rollout/config-applier.ts';
import { sha256 } from '../../src/control-plane/rollout/fetch-version.ts';
import type { CommittedConfig, DiskState, RolloutDisk } from '../../src/control-plane/rollout/last-known-good.ts';
import type { TierKey } from '../../src/control-plane/rollout/tier-key.ts';
import { TierRollout } from '../../src/control-plane/rollout/tier-rollout.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import { StoreAway, type TierStore } from '../../src/control-plane/store/tier-store.ts';
import { VirtualClock } from './virtual-clock.ts';

export const LEASE_MS = 3000;

export const bytesOf = (text: string): Uint8Array => Buffer.from(text);
export const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

export class MemoryDisk implements RolloutDisk {
  state: DiskState = { committed: null, parent: null, identity: null };

  read(): Promise<DiskState> {
    return Promise.resolve(this.state);
  }
  writeCommitted(committed: CommittedConfig | null): Promise<void> {
    return this.#put({ committed });
  }
  writeParent(parent: DiskState['parent']): Promise<void> {
    return this.#put({ parent });
  }
  writeIdentity(identity: DiskState['identity']): Promise<void> {
    return this.#put({ identity });
  }
  #put(part: Partial<DiskState>): Promise<void> {
    this.state = { ...this.state, ...part };
    return Promise.resolve();
  }
}

export class TextApplier implements ConfigApplier {
  readonly id: string;
  /** What has been run, as `NUMBER TEXT`. */
  readonly ran: string[] = [];
  counted: Answers = { requests: 0, errors: 0 };
  /** Refuses and fails whatever the text says. */
  broken = '';
  #running: RunningVersion | null = null;

  constructor(id: string) {
    this.id = id;
  }

  dryRun(bytes: Uint8Array): Promise<Refusal | null> {
    return Promise.resolve(this.#refusal(textOf(bytes), 'refuse'));
  }

  apply(bytes: Uint8Array, number: number): Promise<ApplyOutcome> {
    const refusal = this.#refusal(textOf(bytes), 'fail');
    if (refusal !== null) return Promise.resolve({ kind: 'refused', ...refusal });
    const sha = sha256(bytes);
    this.#running = { number, sha, effectiveSha: sha };
    this.ran.push(`${number} ${textOf(bytes)}`);
    return Promise.resolve({ kind: 'done', changed: true, warnings: [] });
  }

  running(): RunningVersion | null {
    return this.#running;
  }

  answers(): Answers {
    return this.counted;
  }

  #refusal(text: string, word: string): Refusal | null {
    if (this.broken !== '') return { text: this.broken, problems: [] };
    const named = new RegExp(`${word}=(\\S+)`).exec(text)?.[1]?.split(',') ?? [];
    return named.includes(this.id) ? { text: `${this.id} cannot`, problems: [] } : null;
  }
}

/** A member's own way to the store, which can be cut. */
export class Wire {
  isCut = false;

  to(store: TierStore): TierStore {
    return new Proxy(store, {
      get: (target, name) => {
        const found = Reflect.get(target, name, target) as unknown;
        if (typeof found !== 'function') return found;
        if (name === 'subscribe') return (onHint: Parameters<TierStore['subscribe']>[0]) => target.subscribe((hint) => (this.isCut ? undefined : onHint(hint)));
        return (...args: unknown[]): unknown => (this.isCut ? Promise.reject(new StoreAway('cut')) : (found as (...all: unknown[]) => unknown).apply(target, args));
      },
    });
  }
}

export interface RigMemberOptions {
  readonly file?: string | null;
  readonly disk?: MemoryDisk;
  readonly key?: TierKey | null;
  readonly cut?: boolean;
}

export class RigMember {
  readonly id: string;
  readonly applier: TextApplier;
  readonly disk: MemoryDisk;
  readonly wire = new Wire();
  readonly logged: { level: string; text: string; fields: Record<string, unknown> }[] = [];
  readonly link: TierLink;
  readonly rollout: TierRollout;
  started: ApplyOutcome | null = null;
  /** What runs besides the rollout's own news: a process tells its state by that. */
  readonly pokes: (() => void)[] = [];

  constructor(rig: RolloutRig, id: string, { disk = new MemoryDisk(), key = null, cut = false }: RigMemberOptions) {
    const { clock } = rig;
    this.id = id;
    this.disk = disk;
    this.wire.isCut = cut;
    this.applier = new TextApplier(id);
    const log = {
      info: (text: string, fields: Record<string, unknown> = {}) => void this.logged.push({ level: 'info', text, fields }),
      warn: (text: string, fields: Record<string, unknown> = {}) => void this.logged.push({ level: 'warn', text, fields }),
      error: (text: string, fields: Record<string, unknown> = {}) => void this.logged.push({ level: 'error', text, fields }),
    };
    const random: Random = seededRandom(rig.random.below(2 ** 31));
    const poke = (): void => this.rollout?.poke();
    const events: MembershipEvents = { onVerdict: () => undefined, onRole: () => undefined, onTickets: () => undefined, onRead: () => undefined, onOperatorState: () => undefined, onSuspicions: () => undefined, onMembers: poke, onConfig: poke, onState: poke };
    const kept = disk.state;
    let incarnations = 0;
    this.link = new TierLink({
      store: this.wire.to(rig.store),
      id,
      previousIncarnation: kept.identity?.incarnation ?? null,
      history: () => this.rollout.history,
      clock,
      random,
      timing: () => ({ heartbeatMs: 1000, leaseMs: LEASE_MS, probers: 3 }),
      record: { zone: '', addresses: [], software: 'test', sinceMs: clock.wallMs() },
      events,
      log,
      onJoined: (incarnation) => void disk.writeIdentity({ id, incarnation }),
      newIncarnation: () => `${id}-${rig.random.below(1000)}-${++incarnations}`,
    });
    this.rollout = new TierRollout({
      membership: this.link, clock, random, disk, kept, key, log,
      applier: this.applier,
      leaseMs: () => LEASE_MS,
      onChange: () => {
        this.#tellState();
        for (const run of this.pokes) run();
      },
      onApplied: () => undefined,
    });
    this.link.besideSource = () => {
      const running = this.applier.running();
      const watched = this.rollout.watchedAnswers();
      return besideText({ config: running, ...(watched === undefined ? {} : { rollout: watched }) });
    };
  }

  /** `NUMBER TEXT` of what runs. */
  get runs(): string {
    return this.applier.ran.at(-1) ?? '';
  }

  get isReady(): boolean {
    return this.rollout.notReadyReasons().length === 0;
  }

  said(text: string): boolean {
    return this.logged.some((line) => line.text === text);
  }

  async stop(): Promise<void> {
    this.rollout.stop();
    await this.link.stop();
  }

  /** As if it were killed: its lease runs out. */
  kill(): void {
    this.wire.isCut = true;
    this.rollout.stop();
    void this.link.stop();
  }

  #told = '';
  #tellState(): void {
    const isOut = this.rollout.failure?.out === true;
    const state = isOut ? 'out' : this.isReady ? 'ready' : 'joining';
    if (state === this.#told) return;
    this.#told = state;
    if (state === 'ready' || state === 'joining') this.link.setState(state);
  }
}

export class RolloutRig {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly store: TierMemoryStore;
  readonly members: RigMember[] = [];

  constructor(seed = 1) {
    this.random = seededRandom(seed);
    this.store = new TierMemoryStore({ clock: this.clock, random: this.random });
  }

  /** Begins to start it; time must go by for it to come up. */
  add(id: string, options: RigMemberOptions = {}): RigMember {
    const member = new RigMember(this, id, options);
    this.members.push(member);
    const { file = 'first' } = options;
    void member.rollout.start(file === null ? null : bytesOf(file)).then((outcome) => (member.started = outcome));
    return member;
  }

  /** A tier of these, up and ready, with `first` committed as version 1. */
  async tier(...ids: string[]): Promise<RigMember[]> {
    const members = ids.map((id) => this.add(id));
    await this.clock.advance(3 * LEASE_MS + 2000);
    return members;
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  async stop(): Promise<void> {
    for (const member of this.members) {
      member.wire.isCut = true;
      member.rollout.stop();
      void member.link.stop();
    }
    await this.clock.advance(2000);
  }
}
