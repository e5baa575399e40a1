/**
 * One proxy of a simulated tier: the real link, monitor, operator states and
 * rollout over a clock, a disk, a way to the store and a network that the
 * simulation owns. Its config is a line of text: `v=NAME ports=1,2,3`, and
 * `refuse=ID` or `fail=ID` for members that cannot check or run it.
 */
import type { Socket as DatagramSocket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { inSlices } from '../../src/base/clock.ts';
import { seededRandom, type Random } from '../../src/base/random.ts';
import { HealthMonitor } from '../../src/control-plane/health/monitor.ts';
import type { VerdictEvent } from '../../src/control-plane/health/verdicts.ts';
import { besideText } from '../../src/control-plane/membership/beside.ts';
import type { MembershipEvents } from '../../src/control-plane/membership/membership.ts';
import { TierLink } from '../../src/control-plane/membership/tier-link.ts';
import { OperatorStates } from '../../src/control-plane/operator-states.ts';
import type { Answers, ApplyOutcome, ConfigApplier, Refusal, RunningVersion } from '../../src/control-plane/rollout/config-applier.ts';
import { sha256 } from '../../src/control-plane/rollout/fetch-version.ts';
import { RoleKeeper } from '../../src/control-plane/roles/role-keeper.ts';
import { TierRollout } from '../../src/control-plane/rollout/tier-rollout.ts';
import type { StateFile } from '../../src/control-plane/state-file.ts';
import type { DialUdp } from '../../src/net/dial-udp.ts';
import type { Dial } from '../../src/net/dial.ts';
import { tableTime, type BackendRow, type PoolRow } from '../../src/shared/backend-table.ts';
import type { BackendRig } from '../support/backend-rig.ts';
import { MemoryDisk } from '../support/rollout-rig.ts';
import { VirtualDatagrams } from '../support/virtual-network.ts';
import { ProcessClock } from './sim-clock.ts';
import type { SimTier } from './sim-tier.ts';
import { SimWire } from './sim-wire.ts';

/** What outlives a process. */
export class SimDisk {
  readonly rollout = new MemoryDisk();
  operatorStates: unknown = null;
}

const REQUEST_EVERY_MS = 100;

/** Pools of the same backends, whose checks ask for the primary; the second stops when cut off. */
export const ROLE_POOLS = ['db', 'fenced'] as const;
export type RolePoolName = (typeof ROLE_POOLS)[number];
export const ROLE_PORTS = [9000, 9001, 9002];

export class SimMember implements ConfigApplier {
  readonly id: string;
  readonly disk: SimDisk;
  readonly clock: ProcessClock;
  readonly wire: SimWire;
  readonly backends: BackendRig;
  /** Cannot reach any backend. */
  isCutFromBackends = false;
  hasEnded = false;
  link!: TierLink;
  monitor!: HealthMonitor;
  operatorStates!: OperatorStates;
  rollout!: TierRollout;
  roles!: RoleKeeper;
  readonly #tier: SimTier;
  readonly #random: Random;
  readonly #webRows = new Map<number, BackendRow>();
  readonly #roleRows = new Map<RolePoolName, { readonly pool: PoolRow; readonly backends: readonly { readonly port: number; readonly row: BackendRow }[] }>();
  #running: RunningVersion | null = null;
  #ports: readonly number[] = [];
  #requests = 0;
  #told = '';

  private constructor(tier: SimTier, id: string, disk: SimDisk) {
    this.#tier = tier;
    this.id = id;
    this.disk = disk;
    this.backends = tier.rigFor(id);
    this.#random = seededRandom(tier.random.below(2 ** 31));
    this.clock = new ProcessClock(tier.clock, tier.random.below(4) === 0 ? tier.random.below(7_200_000) - 3_600_000 : 0);
    this.wire = new SimWire({ sim: tier.clock, process: this.clock, random: this.#random, mood: tier.mood, answerWithinMs: tier.pace.leaseMs / 3 });
  }

  /** Begins to start it; it comes up as time goes by. `file`: what its config file holds. */
  static async start(tier: SimTier, id: string, disk: SimDisk, file: string): Promise<SimMember> {
    const member = new SimMember(tier, id, disk);
    await member.#open();
    void member.rollout.start(Buffer.from(file));
    if (tier.isWatched) member.clock.every(REQUEST_EVERY_MS, () => member.#request());
    member.clock.every(REQUEST_EVERY_MS, () => member.#tellState());
    return member;
  }

  async #open(): Promise<void> {
    const { clock, disk, id } = this;
    const { pace } = this.#tier;
    const log = { info: () => undefined, warn: () => undefined, error: (text: string, fields?: Record<string, unknown>) => this.#tier.noteError(id, text, fields) };
    const kept = disk.rollout.state;
    const store = this.wire.to(this.#tier.store);
    this.operatorStates = await OperatorStates.open({ clock, file: this.#stateFile(), log });
    this.link = new TierLink({
      store, id, clock, random: this.#random, log,
      previousIncarnation: kept.identity?.incarnation ?? null,
      history: () => this.rollout.history,
      timing: () => pace,
      record: { zone: this.#tier.zoneOf(id), addresses: [], software: 'sim', sinceMs: clock.wallMs() },
      newIncarnation: () => `${id}.${this.#tier.nextIncarnation()}`,
      onJoined: (incarnation) => void disk.rollout.writeIdentity({ id, incarnation }),
      events: this.#events(),
    });
    this.monitor = new HealthMonitor({
      clock,
      random: this.#random,
      dial: this.#dial(),
      dialUdp: this.#dialUdp(),
      names: { addressOf: () => null, failureOf: () => null, connectFailed: () => undefined },
      membership: this.link,
      pace: () => pace,
      answersOf: () => this.#requests,
    });
    this.monitor.verdicts.subscribe((event) => this.#verdict(event));
    this.roles = new RoleKeeper({
      clock,
      membership: this.link,
      pace: () => pace,
      claimedSinceMs: (row) => this.monitor.verdicts.standing(row)?.sinceMs ?? 0,
      log,
      onChange: ({ pool, address, epoch, byTier }) => this.isRunning && this.#tier.tell(`${id} serves ${address ?? 'none'} of ${pool} (${byTier ? `epoch ${epoch}` : 'own probes'})`),
    });
    this.monitor.verdicts.subscribe(({ pools }) => this.roles.verdictsChanged(pools));
    this.rollout = new TierRollout({
      membership: this.link, clock, random: this.#random, kept, log,
      disk: disk.rollout,
      applier: this,
      key: null,
      leaseMs: () => pace.leaseMs,
      onChange: () => this.#tellState(),
      onApplied: () => undefined,
    });
    this.link.besideSource = () => {
      const watched = this.rollout.watchedAnswers();
      return besideText({ config: this.#running, ...(watched === undefined ? {} : { rollout: watched }) });
    };
    this.operatorStates.publishTo((entry) => this.link.putOperatorState(entry));
    this.operatorStates.subscribe(({ rowNumber }) => this.monitor.stateChanged(rowNumber));
  }

  /** As SIGKILL. */
  kill(): void {
    this.hasEnded = true;
    this.clock.end();
    this.wire.isCut = true;
  }

  get isRunning(): boolean {
    return !this.hasEnded && !this.clock.isPaused;
  }

  get ports(): readonly number[] {
    return this.#ports;
  }

  /** Whom its workers would send to now; null: to none. Asked a hundred times a second. */
  sendsTo(pool: RolePoolName): number | null {
    const rows = this.#roleRows.get(pool);
    if (rows === undefined || rows.pool.isFenced(tableTime(this.clock.monotonicMs()))) return null;
    return rows.backends.find(({ row }) => !row.withdrawn && row.verdict === 'up')?.port ?? null;
  }

  verdict(port: number): string {
    return this.#webRow(port).verdict;
  }

  state(port: number): string {
    return this.#webRow(port).state;
  }

  setOperatorState(port: number, state: 'ready' | 'drain'): void {
    void this.operatorStates.set('web', addressOf(port), { state }, this.id);
  }

  dryRun(bytes: Uint8Array): Promise<Refusal | null> {
    return Promise.resolve(this.#refusal(bytes, 'refuse'));
  }

  async apply(bytes: Uint8Array, number: number): Promise<ApplyOutcome> {
    const refusal = this.#refusal(bytes, 'fail');
    if (refusal !== null) return { kind: 'refused', ...refusal };
    const sha = sha256(bytes);
    const held = this.#tier.options.holdsOf?.(this.id) ?? null;
    this.#ports = portsOf(Buffer.from(bytes).toString()).filter((port) => held === null || held.has(port));
    const placed = this.backends.placePools(this.#tier.poolsOf(this.#ports));
    await inSlices(this.operatorStates.apply(placed));
    await inSlices(this.monitor.apply(placed));
    this.roles.apply(placed, true);
    if (this.#roleRows.size === 0) for (const pool of ROLE_POOLS) this.#roleRows.set(pool, { pool: this.backends.pool(pool), backends: ROLE_PORTS.map((port) => ({ port, row: this.backends.row(pool, addressOf(port)) })) });
    this.#running = { number, sha, effectiveSha: sha };
    return { kind: 'done', changed: true, warnings: [] };
  }

  running(): RunningVersion | null {
    return this.#running;
  }

  answers(): Answers {
    return { requests: this.#requests, errors: 0 };
  }

  #refusal(bytes: Uint8Array, word: string): Refusal | null {
    const named = new RegExp(`${word}=(\\S+)`).exec(Buffer.from(bytes).toString())?.[1]?.split(',') ?? [];
    return named.includes(this.id) ? { text: `${this.id} cannot`, problems: [] } : null;
  }

  #events(): MembershipEvents {
    const poke = (): void => this.rollout.poke();
    return {
      onVerdict: (check, entry) => this.monitor.acceptVerdict(check, entry),
      onRole: (pool, record) => this.roles.accept(pool, record),
      onTickets: () => undefined,
      onRead: (sentMs) => this.roles.read(sentMs),
      onOperatorState: (key, text) => this.operatorStates.accept(key, text),
      onMembers: () => (this.monitor.membersChanged(), poke()),
      onSuspicions: (checks) => this.monitor.suspected(checks),
      onConfig: ({ rollout }) => (this.monitor.rolloutChanged(rollout !== null), poke()),
      onState: () => (this.monitor.dutyChanged(), this.roles.linkChanged(), poke()),
    };
  }

  /** Rows stay where they are for a process's life. */
  #webRow(port: number): BackendRow {
    const row = this.#webRows.get(port) ?? this.backends.row('web', addressOf(port));
    this.#webRows.set(port, row);
    return row;
  }

  /** A request to one of the backends: a refusal is what a worker would tell. */
  #request(): void {
    const port = this.#ports[this.#random.below(Math.max(1, this.#ports.length))];
    if (port === undefined) return;
    const met = this.#tier.meets(this, port);
    if (met === 'accept') this.#requests++;
    else if (met === 'ECONNREFUSED' && this.verdict(port) === 'up') this.monitor.refused(this.backends.numberOf('web', addressOf(port)));
  }

  /** As the process does: ready once its config runs and each check has a verdict, or a result of its own. */
  #tellState(): void {
    const isOut = this.rollout.failure?.out === true;
    const mayBe = this.#running !== null && this.rollout.notReadyReasons().length === 0;
    // Once ready, a check whose first verdict is out takes nobody away.
    const isReady = mayBe && (this.#told === 'ready' || this.monitor.pending()[Symbol.iterator]().next().done === true);
    const state = isOut ? 'out' : isReady ? 'ready' : 'joining';
    if (state === this.#told) return;
    this.#told = state;
    if (state !== 'out') this.link.setState(state);
  }

  #verdict(event: VerdictEvent): void {
    if (this.isRunning) this.#tier.noteVerdict(this, Number(event.address.split(':')[1]), event.to, event.reason);
  }

  #dial(): Dial {
    return ({ port }) => {
      this.#tier.noteProbe(this, port);
      const socket = new SimSocket();
      const met = this.#tier.meets(this, port);
      if (met === 'silent') return socket as unknown as Socket;
      this.clock.after(0.2 + this.#random.next(), () => {
        if (socket.destroyed) return;
        if (met === 'accept') socket.emit('connect');
        else socket.emit('error', Object.assign(new Error(met), { code: met }));
      });
      return socket as unknown as Socket;
    };
  }

  #dialUdp(): DialUdp {
    return ({ port }) => {
      this.#tier.noteProbe(this, port);
      const socket = new VirtualDatagrams((happens) => {
        const met = this.#tier.meets(this, port);
        if (met !== 'silent') this.clock.after(0.2 + this.#random.next(), () => happens(met === 'accept' ? null : met));
      });
      return socket as unknown as DatagramSocket;
    };
  }

  #stateFile(): StateFile {
    const { disk } = this;
    const file = {
      path: 'operator-states',
      read: () => Promise.resolve(disk.operatorStates === null ? { kind: 'absent' } : { kind: 'read', value: structuredClone(disk.operatorStates) }),
      write: (value: unknown) => {
        disk.operatorStates = structuredClone(value);
        return Promise.resolve();
      },
    };
    return file as unknown as StateFile;
  }
}

/** As much of a socket as a TCP probe asks of one. */
class SimSocket extends EventEmitter {
  destroyed = false;
  readonly readyState = 'open';
  end(): this {
    return this.destroy();
  }
  destroy(): this {
    this.destroyed = true;
    return this;
  }
  resume(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

export function addressOf(port: number): string {
  return `10.0.0.1:${port}`;
}

export function portsOf(text: string): number[] {
  return (/ports=([\d,]+)/.exec(text)?.[1] ?? '').split(',').filter((part) => part !== '').map(Number);
}
