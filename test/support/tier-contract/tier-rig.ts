/**
 * A store under the contract suite, and members of its tier that say and read
 * what a test wants. Time is the opened store's: virtual or really waited for,
 * so leases are a minute unless a test is about their end.
 */
import { describe, expect } from 'vitest';
import { entryHash, PROTOCOL, PROTOCOL_MIN, type Caller, type JoinAnswer, type JoinCall, type LogEntry, type ReadUpTo, type StoreAnswer, type StoreCall, type StoreHint, type TableChanges, type TierStore, type VerdictReport } from '../../../src/control-plane/store/tier-store.ts';

/** A section of the contract: what a store must do, over the rig of each test. */
export function suite(title: string, cases: (rig: () => TierRig) => void): (rig: () => TierRig) => void {
  return (rig) => describe(title, () => cases(rig));
}

export interface OpenedTierStore {
  /** Empty, and nobody else's. */
  readonly store: TierStore;
  /** At least so much of the store's time goes by. */
  advance(ms: number): Promise<void>;
  /** Everything in it is lost. */
  flush(): Promise<void>;
  /** The store's own end, after `store.close()`. */
  end(): Promise<void>;
}

export const LONG_LEASE_MS = 60_000;

const tables = ['members', 'verdicts', 'operatorStates'] as const;
type TableName = (typeof tables)[number];

/** What a member has read, kept as the contract says it is to be kept. */
export class TierReader {
  have: ReadUpTo | null = null;
  readonly members = new Map<string, string>();
  readonly verdicts = new Map<string, string>();
  readonly operatorStates = new Map<string, string>();
  config: StoreAnswer['config'] = null;
  /** Of what is in each table, kept as it changes: hashing all of it at each answer is what most of a test would do. */
  readonly #digests: Record<TableName, number> = { members: 0, verdicts: 0, operatorStates: 0 };

  take(answer: StoreAnswer): void {
    for (const name of tables) this.#takeTable(name, answer[name]);
    this.config = answer.config ?? this.config;
    this.have = readUpTo(answer, this.have);
  }

  #takeTable(name: TableName, changes: TableChanges): void {
    const table = this[name];
    if (changes.whole) {
      table.clear();
      this.#digests[name] = 0;
    }
    for (const { key, text } of changes.entries) {
      this.#digests[name] = (this.#digests[name] - hashOf(key, table.get(key)) + hashOf(key, text ?? undefined)) >>> 0;
      if (text === null) table.delete(key);
      else table.set(key, text);
    }
    if (changes.more) return;
    expect({ name, count: changes.count, digest: changes.digest }).toEqual({ name, count: table.size, digest: this.#digests[name] });
  }
}

function hashOf(key: string, text: string | undefined): number {
  return text === undefined ? 0 : entryHash(key, text);
}

export function digestOf(table: ReadonlyMap<string, string>): number {
  return [...table].reduce((sum, [key, text]) => (sum + entryHash(key, text)) >>> 0, 0);
}

export function readUpTo(answer: StoreAnswer, former: ReadUpTo | null = null): ReadUpTo {
  const config = answer.config?.epoch ?? (former?.run === answer.run ? former.config : 0);
  return { run: answer.run, members: answer.members.epoch, verdicts: answer.verdicts.epoch, operatorStates: answer.operatorStates.epoch, config };
}

export function hasMore(answer: StoreAnswer): boolean {
  return tables.some((name) => answer[name].more);
}

export class TestMember implements Caller {
  readonly member: string;
  readonly incarnation: string;
  readonly reader = new TierReader();
  readonly #store: TierStore;
  readonly #leaseMs: number;
  #number = 0;

  constructor(store: TierStore, { member, incarnation }: Caller, leaseMs: number) {
    this.#store = store;
    this.member = member;
    this.incarnation = incarnation;
    this.#leaseMs = leaseMs;
  }

  get caller(): Caller {
    return { member: this.member, incarnation: this.incarnation };
  }

  get number(): number {
    return this.#number;
  }

  /** Says `parts`, has read nothing. */
  call(parts: Partial<StoreCall> = {}): Promise<StoreAnswer> {
    this.#number++;
    return this.#store.call({
      member: this.member, incarnation: this.incarnation, number: this.#number, leaseMs: this.#leaseMs, probers: 3, state: null, record: null, beside: null,
      reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: 1000, operatorStates: [], have: null, ...parts,
    });
  }

  report(...reports: readonly VerdictReport[]): Promise<StoreAnswer> {
    return this.call({ reports });
  }

  /** Reads on from where it is until nothing is left; returns the answers it took. */
  async read(parts: Partial<StoreCall> = {}): Promise<StoreAnswer[]> {
    const answers: StoreAnswer[] = [];
    while (true) {
      const answer = await this.call({ ...(answers.length === 0 ? parts : {}), have: this.reader.have });
      answers.push(answer);
      this.reader.take(answer);
      if (!hasMore(answer)) return answers;
      expect(answers.length, 'a reading that does not end').toBeLessThan(1000);
    }
  }
}

export class TierRig {
  readonly #opened: OpenedTierStore;
  #incarnations = 0;

  constructor(opened: OpenedTierStore) {
    this.#opened = opened;
  }

  get store(): TierStore {
    return this.#opened.store;
  }

  advance(ms: number): Promise<void> {
    return this.#opened.advance(ms);
  }

  flush(): Promise<void> {
    return this.#opened.flush();
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.#opened.end();
  }

  newIncarnation(): string {
    return `i${++this.#incarnations}`;
  }

  joinCall(member: string, parts: Partial<JoinCall> = {}): JoinCall {
    return { member, incarnation: this.newIncarnation(), previous: null, leaseMs: LONG_LEASE_MS, record: '{}', protocol: PROTOCOL, protocolMin: PROTOCOL_MIN, history: null, ...parts };
  }

  /** Asks until it is its turn. */
  async join(call: JoinCall): Promise<Exclude<JoinAnswer, { kind: 'wait' }>> {
    while (true) {
      const answer = await this.store.join(call);
      if (answer.kind !== 'wait') return answer;
      await this.advance(answer.waitMs);
    }
  }

  async member(id: string, parts: Partial<JoinCall> = {}): Promise<TestMember> {
    const call = this.joinCall(id, parts);
    expect(await this.join(call)).toMatchObject({ kind: 'joined' });
    return new TestMember(this.store, call, call.leaseMs);
  }

  async ready(id: string, parts: Partial<JoinCall> = {}): Promise<TestMember> {
    const member = await this.member(id, parts);
    await member.call({ state: 'ready' });
    return member;
  }

  async readyOnes(...ids: readonly string[]): Promise<TestMember[]> {
    const members: TestMember[] = [];
    for (const id of ids) members.push(await this.ready(id));
    return members;
  }

  /** A member that has been alive for `leaseMs` since its last call, and is not any more. */
  async expired(id: string, witness: TestMember, leaseMs = 50): Promise<TestMember> {
    const member = await this.ready(id);
    await this.expire(member, witness, leaseMs);
    return member;
  }

  async expire(member: TestMember, witness: TestMember, leaseMs = 50): Promise<void> {
    await member.call({ leaseMs });
    await this.advance(leaseMs + 1);
    // The witness names a long lease, so that this is no step that would be cut short.
    await witness.read();
    expect([...witness.reader.members.keys()]).not.toContain(member.member);
  }

  async logged(after = 0): Promise<Record<string, unknown>[]> {
    return (await this.store.log(after, 1000)).map(parseLogEntry);
  }

  /** Subscribes, and waits until messages really come. The last word said before is heard of `by`. */
  async listen(by: TestMember): Promise<Listener> {
    const listener = new Listener(this);
    for (let stampMs = 1; listener.hints.length === 0; stampMs++) {
      expect(stampMs, 'no message ever comes').toBeLessThan(200);
      await by.call({ operatorStates: [{ key: 'listening', stampMs, by: 'rig', text: `${stampMs} rig {}` }] });
      await this.advance(60);
    }
    await listener.quiet(by);
    return listener;
  }
}

export function parseLogEntry({ text }: LogEntry): Record<string, unknown> {
  return JSON.parse(text) as Record<string, unknown>;
}

export class Listener {
  hints: StoreHint[] = [];
  readonly end: () => void;
  readonly #rig: TierRig;

  constructor(rig: TierRig) {
    this.#rig = rig;
    this.end = rig.store.subscribe((hint) => void this.hints.push(hint));
  }

  /** Everything said so far has been told; what is heard from now on is new. */
  async quiet(by: TestMember): Promise<void> {
    do {
      await this.#rig.advance(60);
    } while ((await by.call()).publishInMs !== null);
    await this.#rig.advance(60);
    this.hints = [];
  }

  /** Waits for a message of that kind, while `by` goes on calling. */
  async hears(by: TestMember, wanted: (hint: StoreHint) => boolean): Promise<StoreHint> {
    for (let tries = 0; tries < 200; tries++) {
      const found = this.hints.find(wanted);
      if (found !== undefined) return found;
      await this.#rig.advance(20);
      await by.call();
    }
    throw new Error(`not heard: ${wanted.toString()}; heard: ${JSON.stringify(this.hints)}`);
  }
}

export function up(check: string, reason = 'connected', atMs = 1000): VerdictReport {
  return { check, verdict: 'up', reason, atMs };
}

export function down(check: string, reason = 'connection refused', atMs = 1000): VerdictReport {
  return { check, verdict: 'down', reason, atMs };
}

export function withdrawn(check: string): VerdictReport {
  return { check, verdict: null, reason: '', atMs: 1000 };
}
