/**
 * A simulated tier: members, one store, backends that come and go, in virtual
 * time from one seed. It knows the truth about the backends and holds each
 * member's view against it; what does not fit is a violation, with the time at
 * which it was seen.
 */
import { createHash } from 'node:crypto';
import { seededRandom, type Random } from '../../src/base/random.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import type { HealthSpec, PoolSpec } from '../../src/shared/snapshot.ts';
import { BackendRig, healthSpec, poolSpec, RowNumbers } from '../support/backend-rig.ts';
import { SimClock } from './sim-clock.ts';
import { SimHistories } from './sim-histories.ts';
import { addressOf, ROLE_PORTS, SimDisk, SimMember } from './sim-member.ts';
import { SimPrimaries } from './sim-primaries.ts';
import { FAIR, StoreMood, type Weather } from './sim-wire.ts';

export type Meeting = 'accept' | 'silent' | 'ECONNREFUSED';

export interface SimOptions {
  readonly seed: number;
  readonly members: number;
  readonly backends: number;
  /** False: a tier that is measured and held against nothing. No story is kept of it, and nobody looks at its primaries all the time. */
  readonly isWatched?: boolean;
  /** Which backends of its config that member holds, for a tier too large for each to hold all; null, or absent: all. */
  readonly holdsOf?: (id: string) => ReadonlySet<number> | null;
}

export interface Violation {
  readonly atMs: number;
  readonly what: string;
}

/** By the seed's last digit; of the others tcp. */
const HEALTHS: Readonly<Record<number, HealthSpec>> = {
  7: healthSpec({ type: 'udp', options: { send: 'ping', expect: 'pi' } }),
  8: healthSpec({ type: 'dns', options: { query: 'example.com A', expect: ['NOERROR'] } }),
};

/** A backend that nobody could have seen fail for so long may not be called down by anyone, whatever the store lost. */
const LONG_WELL_MS = 30_000;

export class SimTier {
  readonly clock = new SimClock();
  readonly random: Random;
  readonly store: TierMemoryStore;
  readonly mood = new StoreMood();
  readonly pace = { heartbeatMs: 1000, leaseMs: 3000, probers: 3 };
  /** How the backends of `web` are probed: another type in another life. */
  readonly health: HealthSpec;
  readonly members = new Map<string, SimMember>();
  readonly disks = new Map<string, SimDisk>();
  readonly truth = new Map<number, Meeting>();
  readonly primaries: SimPrimaries;
  readonly histories: SimHistories;
  readonly violations: Violation[] = [];
  /** What happened, for people; a run of the same seed has the same. */
  readonly story: string[] = [];
  readonly published = new Set<string>();
  probes = 0;
  readonly options: SimOptions;
  /** What is the same in all members is there once: a tier of a thousand has ten million rows. */
  readonly #numbers = new RowNumbers();
  readonly #pools = new Map<string, readonly PoolSpec[]>();
  readonly #badMs = new Map<number, number>();
  readonly #trace = createHash('sha256');
  #incarnations = 0;
  #configs = 0;

  constructor(options: SimOptions) {
    const { seed, backends, isWatched = true } = options;
    this.options = options;
    this.random = seededRandom(seed);
    this.health = HEALTHS[seed % 10] ?? healthSpec();
    this.store = new TierMemoryStore({ clock: this.clock, random: this.random });
    for (let i = 0; i < backends; i++) this.truth.set(8000 + i, 'accept');
    this.primaries = new SimPrimaries(this);
    if (isWatched) this.primaries.watch();
    this.histories = new SimHistories(this);
    this.#holdLeader();
  }

  get ports(): number[] {
    return [...this.truth.keys()];
  }

  /** How many backends of the role pools there are beside them. */
  get rolePorts(): number {
    return ROLE_PORTS.length;
  }

  zoneOf(id: string): string {
    return `z${Number(id.slice(1)) % 2}`;
  }

  get running(): SimMember[] {
    return [...this.members.values()].filter(({ isRunning }) => isRunning);
  }

  /** Every message between the store and whoever runs arrives, at once. */
  get isFair(): boolean {
    if (this.mood.refuses !== null || this.mood.isPaused) return false;
    for (const { wire, clock, hasEnded } of this.members.values()) if (!hasEnded && (clock.isPaused || wire.isCut || wire.weather.lostShare > 0 || wire.weather.delayMs > FAIR.delayMs)) return false;
    return true;
  }

  nextIncarnation(): number {
    return ++this.#incarnations;
  }

  get isWatched(): boolean {
    return this.options.isWatched !== false;
  }

  tell(what: string): void {
    if (!this.isWatched) return;
    this.story.push(`${(this.clock.monotonicMs() / 1000).toFixed(3)} ${what}`);
    this.#trace.update(`${this.clock.monotonicMs()} ${what}\n`);
  }

  /** The same for two runs of one seed. */
  get fingerprint(): string {
    return this.#trace.copy().digest('hex').slice(0, 16);
  }

  async startMember(id: string, file?: string): Promise<SimMember> {
    const disk = this.disks.get(id) ?? new SimDisk();
    this.disks.set(id, disk);
    const member = await SimMember.start(this, id, disk, file ?? this.configText());
    this.members.set(id, member);
    return member;
  }

  /** Another text each time; `extra`: who cannot check or run it. */
  configText(extra = ''): string {
    const text = `v=${++this.#configs} ports=${this.ports.join(',')}${extra === '' ? '' : ` ${extra}`}`;
    this.published.add(text);
    return text;
  }

  /** Rows for a member that holds these backends. */
  rigFor(id: string): BackendRig {
    return new BackendRig((this.options.holdsOf?.(id) ?? null) === null ? this.#numbers : undefined);
  }

  poolsOf(ports: readonly number[]): readonly PoolSpec[] {
    const key = ports.join(',');
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const role = { backends: ROLE_PORTS.map(addressOf), health: healthSpec({ role: 'primary' }) };
    const pools = [{ name: 'web', backends: ports.map(addressOf), health: this.health }, { ...role, name: 'db' }, { ...role, name: 'fenced', fence: true }].map(poolSpec);
    this.#pools.set(key, pools);
    return pools;
  }

  meets(member: SimMember, port: number): Meeting {
    const isRole = ROLE_PORTS.includes(port);
    const met = member.isCutFromBackends ? 'silent' : isRole ? this.primaries.meets(member, port) : (this.truth.get(port) ?? 'ECONNREFUSED');
    if (met !== 'accept') this.#badMs.set(port, this.clock.monotonicMs());
    return met;
  }

  setTruth(port: number, met: Meeting): void {
    // What was on its way may still fail.
    this.#badMs.set(port, this.clock.monotonicMs());
    this.truth.set(port, met);
    this.tell(`backend ${port} is ${met}`);
  }

  noteProbe(member: SimMember, port: number): void {
    this.probes++;
    if (this.isWatched) this.#trace.update(`${member.id} probes ${port}\n`);
  }

  noteVerdict(member: SimMember, port: number, to: string, reason: string): void {
    this.tell(`${member.id} has ${port} ${to} (${reason})`);
    if (to !== 'down') return;
    const badMs = this.#badMs.get(port);
    if (badMs === undefined || this.clock.monotonicMs() - badMs > LONG_WELL_MS) this.violate(`${member.id} calls ${port} down, which nobody can have seen fail (${reason})`);
  }

  noteError(id: string, text: string, fields: Record<string, unknown> = {}): void {
    const cause = fields['err'] instanceof Error ? `: ${fields['err'].stack}` : '';
    this.tell(`${id} logs "${text}"${cause}`);
    if (text === 'a turn of the rollout failed') this.violate(`${id}: ${text}${cause}`);
  }

  violate(what: string): void {
    this.violations.push({ atMs: this.clock.monotonicMs(), what });
    this.tell(`VIOLATION ${what}`);
  }

  setWeather(weather: Weather): void {
    for (const { wire } of this.members.values()) wire.weather = weather;
  }

  heal(): void {
    this.mood.refuses = null;
    this.mood.resume();
    this.primaries.heal();
    for (const member of this.members.values()) {
      member.wire.isCut = member.hasEnded;
      member.wire.weather = FAIR;
      member.isCutFromBackends = false;
      member.clock.resume();
    }
    this.tell('everything is healed');
  }

  /** What everyone must agree on once nothing has gone wrong for long enough, but for those who may stay apart. */
  async checkAgreement(): Promise<void> {
    const apart = this.histories.apart();
    for (const member of apart) this.histories.checkApart(member);
    const together = this.running.filter((member) => !apart.includes(member));
    const ids = together.map(({ id }) => id).sort().join(' ');
    const versions = await this.store.versions();
    const head = together[0]?.link.config?.head ?? null;
    if (head === null) this.violate('the store has no config');
    for (const member of together) {
      const { phase, reason } = member.link.state;
      if (phase !== 'connected') this.violate(`${member.id} is ${phase} (${reason})`);
      const seen = [...member.link.members.keys()].sort().join(' ');
      if (seen !== ids) this.violate(`${member.id} sees the members ${seen}, and there are ${ids}`);
      this.#checkConfig(member, head);
      this.checkBackends(member);
    }
    this.primaries.checkAgreement(together, apart);
    if (head !== null && !versions.some(({ sha }) => sha === head.sha)) this.violate('the head is not among the versions');
    for (const port of this.ports) {
      const states = new Set(together.filter(({ ports }) => ports.includes(port)).map((member) => member.state(port)));
      if (states.size > 1) this.violate(`members disagree on the operator's state of ${port}: ${[...states].join(', ')}`);
    }
  }

  checkBackends(member: SimMember): void {
    for (const port of member.ports) {
      // A drained backend is probed like any other.
      const expected = this.truth.get(port) === 'accept' ? 'up' : 'down';
      if (member.verdict(port) !== expected) this.violate(`${member.id} has ${addressOf(port)} ${member.verdict(port)}, and it is ${expected}`);
    }
  }

  #checkConfig(member: SimMember, head: { readonly number: number; readonly sha: string } | null): void {
    const runs = member.running();
    if (head === null || member.rollout.failure !== null) return;
    if (runs?.sha !== head.sha) this.violate(`${member.id} runs version ${runs?.number}, and the head is ${head.number}`);
  }

  /** Every step in a rollout that took effect was the leader's. */
  #holdLeader(): void {
    const { store } = this;
    const step = store.step.bind(store);
    store.step = async (asked) => {
      const answer = await step(asked);
      this.tell(`${asked.member} steps version ${asked.number}: ${answer}`);
      const leaders = [...this.members.values()].filter(({ link }) => link.incarnation === asked.incarnation);
      if (answer === 'done' && leaders.length === 0) this.violate(`a step of ${asked.member} took effect, and its incarnation is nobody's`);
      return answer;
    };
  }
}
