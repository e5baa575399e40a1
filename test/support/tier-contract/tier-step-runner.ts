/**
 * Takes a store through steps of tier-steps.ts and gives what it answered, less
 * what may differ between two stores that are both right: ids of runs, times,
 * and where one page ends and the next begins. Two stores must answer alike.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseMember } from '../../../src/control-plane/store/entry-texts.ts';
import { entryHash, type Caller, type ConfigState, type StoreAnswer, type StoreCall, type TableChanges } from '../../../src/control-plane/store/tier-store.ts';
import { TICKETS_KEY, ticketsSha } from '../../../src/control-plane/store/ticket-records.ts';
import { parseRole, poolOfRoleKey, roleKey } from '../../../src/control-plane/store/role-records.ts';
import { randomTierSteps, ROLE_POOL, type Actor, type TierStep } from './tier-steps.ts';
import { hasMore, LONG_LEASE_MS, parseLogEntry, TierReader, type OpenedTierStore } from './tier-rig.ts';

const SHORT_LEASE_MS = 30;
const ALL_CHECKS_LOOKED_AT = 8;

interface Incarnation {
  readonly name: string;
  number: number;
  reader: TierReader;
  /** What it has said of checks since it joined. */
  readonly said: Map<string, string>;
}

type Of<Kind extends TierStep['kind']> = Extract<TierStep, { kind: Kind }>;

export class TierStepRunner {
  readonly #opened: OpenedTierStore;
  /** By member, the newest last. */
  readonly #incarnations = new Map<string, Incarnation[]>();
  readonly #seen: unknown[] = [];
  readonly #checks = new Set<string>();
  #leader: string | null = null;
  #config: ConfigState = { epoch: 0, head: null, rollout: null };

  constructor(opened: OpenedTierStore) {
    this.#opened = opened;
  }

  /** As this one is now, but with nothing read: what it does next shall not be remembered. */
  fork(): TierStepRunner {
    const fork = new TierStepRunner(this.#opened);
    for (const [member, all] of this.#incarnations) fork.#incarnations.set(member, all.map(({ name, number, said }) => ({ name, number, said: new Map(said), reader: new TierReader() })));
    fork.#leader = this.#leader;
    fork.#config = this.#config;
    return fork;
  }

  async run(step: TierStep): Promise<unknown> {
    const { store } = this.#opened;
    switch (step.kind) {
      case 'join': return await this.#join(step);
      case 'call': return await this.#call(step);
      case 'lapse': return await this.#lapse(step);
      case 'leave': return await store.leave(this.#caller(step.by));
      case 'stepOut': return await store.stepOut(this.#caller(step.by));
      case 'publish': return await this.#publish(step);
      case 'step': return await this.#step(step);
      case 'vote': return await store.vote({ ...this.#caller(step.by), number: this.#number, text: step.text });
      case 'restore': return await store.restore({ ...this.#caller(step.by), history: step.history, number: step.number, sha: `sha${step.number}`, headText: `{"head":${step.number}}`, version: `{"v":${step.number}}`, bytes: new Uint8Array(step.bytes).fill(step.number), isFirst: step.number % 2 === 0 });
      case 'raiseProtocol': return await store.raiseProtocol(this.#caller(step.by), step.protocol, step.membersEpoch);
      case 'forget': return await store.forget(this.#caller(step.by), step.checks);
      case 'watch': return await store.watch(step.pool, LONG_LEASE_MS);
      case 'takeTokens': return await store.takeTokens(this.#caller(step.by), step.asks.map((ask) => ({ ...ask, perSecond: 1e-6, burst: 20 })));
      case 'moveRole': return await store.moveRole({ ...this.#caller(step.by), pool: ROLE_POOL, expectedEpoch: Math.max(0, this.#role(step.by).epoch + step.ahead), address: step.address });
      case 'acknowledgeRole': return await this.#acknowledge(step);
      case 'admitRole': return await store.admitRole({ ...this.#caller(step.by), pool: ROLE_POOL, expectedEpoch: Math.max(0, this.#role(step.by).epoch + step.ahead) });
      case 'putTickets': return await store.putTickets({ ...this.#caller(step.by), expectedSha: ticketsSha(step.knows ? (this.#incarnation(step.by).reader.verdicts.get(TICKETS_KEY) ?? null) : 'other'), text: step.text });
      case 'look': return await this.#look(step);
    }
  }

  /** Of the version that is talked about. */
  get #number(): number {
    return this.#config.rollout?.number ?? this.#config.head?.number ?? 1;
  }

  #incarnation({ member, former }: Actor): Incarnation {
    const all = this.#incarnations.get(member ?? this.#leader ?? 'nobody') ?? [];
    return all.at(former ? -2 : -1) ?? { name: 'never-joined', number: 0, reader: new TierReader(), said: new Map() };
  }

  #caller(actor: Actor): Caller {
    return { member: actor.member ?? this.#leader ?? 'nobody', incarnation: this.#incarnation(actor).name };
  }

  async #join({ member, previous, again, history, record }: Of<'join'>): Promise<unknown> {
    const all = this.#incarnations.get(member) ?? [];
    const own = all.at(-1)?.name ?? null;
    const name = again && own !== null ? own : `${member}${all.length + 1}`;
    // So that it is always its turn: how long one has to wait is not compared.
    await this.#opened.advance(11);
    const answer = await this.#opened.store.join({ member, incarnation: name, previous: { own, none: null, wrong: 'wrong' }[previous], leaseMs: LONG_LEASE_MS, record, protocol: 1, protocolMin: 1, history });
    if (answer.kind !== 'joined') return answer;
    if (name !== own) this.#incarnations.set(member, [...all, { name, number: 0, reader: new TierReader(), said: new Map() }]);
    return { kind: answer.kind, run: this.#nth(answer.run) };
  }

  async #call({ by, resent, anew, compares, kind: _, ...said }: Of<'call'>): Promise<unknown> {
    const incarnation = this.#incarnation(by);
    if (!resent) incarnation.number++;
    if (anew) incarnation.reader = new TierReader();
    for (const { check, verdict } of resent ? [] : said.reports) {
      this.#checks.add(check);
      if (verdict === null) incarnation.said.delete(check);
      else incarnation.said.set(check, verdict);
    }
    const digest = !compares ? null : [...incarnation.said].reduce((sum, [check, verdict]) => (sum + entryHash(check, verdict)) >>> 0, 0);
    const pages = [await this.#send(by, { ...said, reportsDigest: digest })];
    while (hasMore(pages.at(-1)!)) {
      incarnation.number++;
      pages.push(await this.#send(by, {}));
    }
    return this.#joined(pages);
  }

  async #send(by: Actor, parts: Partial<StoreCall>): Promise<StoreAnswer> {
    const { number, reader } = this.#incarnation(by);
    const answer = await this.#opened.store.call({
      ...this.#caller(by), number, leaseMs: LONG_LEASE_MS, probers: 3, state: null, record: null, beside: null, reports: [], reportsDigest: null,
      suspicions: [], suspicionEveryMs: 1000, operatorStates: [], have: reader.have, ...parts,
    });
    if (answer.living) reader.take(answer);
    this.#config = answer.config ?? this.#config;
    this.#leader = answer.leader?.member ?? null;
    return answer;
  }

  async #lapse({ by }: Of<'lapse'>): Promise<unknown> {
    const incarnation = this.#incarnation(by);
    incarnation.number++;
    const answer = await this.#send(by, { leaseMs: SHORT_LEASE_MS, have: null });
    await this.#opened.advance(SHORT_LEASE_MS + 10);
    // Nobody, with a long lease: time moves on in one piece, and the lease is left for others to find ended.
    await this.#opened.store.call({ ...EMPTY_CALL, have: null });
    return answer.living;
  }

  async #publish({ by, onHead, number, sha, history, bytes }: Of<'publish'>): Promise<unknown> {
    const parentSha = onHead ? (this.#config.head?.sha ?? null) : 'another';
    return await this.#opened.store.publish({ ...this.#caller(by), history, parentSha, number: Math.max(1, number), sha, version: `{"v":${number}}`, rollout: '{"step":"first"}', bytes: new Uint8Array(bytes).fill(number) });
  }

  async #step({ by, ahead, ends, commits }: Of<'step'>): Promise<unknown> {
    const expectedStep = (this.#config.rollout?.step ?? 1) + ahead;
    return await this.#opened.store.step({ ...this.#caller(by), number: this.#number, expectedStep, rollout: ends ? null : `{"step":${expectedStep}}`, headText: commits ? '{"head":"new"}' : null });
  }

  /** As it has read it. */
  #role(by: Actor): { readonly epoch: number; readonly address: string } {
    return parseRole(this.#incarnation(by).reader.verdicts.get(roleKey(ROLE_POOL)) ?? '') ?? { epoch: 0, address: '' };
  }

  async #acknowledge({ by, ahead, address }: Of<'acknowledgeRole'>): Promise<void> {
    const known = this.#role(by);
    if (known.epoch === 0 && ahead <= 0) return;
    await this.#opened.store.acknowledgeRoles(this.#caller(by), [{ pool: ROLE_POOL, epoch: Math.max(1, known.epoch + ahead), address: address ?? (known.address || 'db1:1') }]);
  }

  async #look({ after }: Of<'look'>): Promise<unknown> {
    const { store } = this.#opened;
    const log = (await store.log(after, 100)).map((entry) => ({ id: entry.id, ...withoutEpoch(parseLogEntry(entry)), atMs: 0 }));
    const reports = await store.reports([...this.#checks].slice(0, ALL_CHECKS_LOOKED_AT));
    const version = await store.version(this.#number);
    return {
      log,
      reports: sorted(reports).map(([check, byMember]) => [check, sorted(byMember)]),
      beside: sorted(await store.beside([...this.#incarnations.keys()])),
      votes: sorted(await store.votes(this.#number)),
      versions: await store.versions(),
      version: version && { ...version, bytes: [...version.bytes] },
    };
  }

  #joined(pages: readonly StoreAnswer[]): unknown {
    const [first, last] = [pages[0]!, pages.at(-1)!];
    const { living, state, leader, protocol, reportsDiffer, watched } = first;
    const config = last.config ?? first.config;
    return {
      living, state, leader, protocol, reportsDiffer, watched,
      run: this.#nth(first.run),
      members: joinedTable(pages.map(({ members }) => members), (_key, text) => memberWithoutTimes(text)),
      verdicts: joinedTable(pages.map(({ verdicts }) => verdicts), roleWithoutEpoch),
      operatorStates: joinedTable(pages.map(({ operatorStates }) => operatorStates)),
      config: config && { ...config, epoch: this.#nth(config.epoch), rollout: config.rollout && { ...config.rollout, startedMs: 0 } },
    };
  }

  /** In place of what differs by chance: the how manieth it is. */
  #nth(value: unknown): number {
    if (!this.#seen.includes(value)) this.#seen.push(value);
    return this.#seen.indexOf(value);
  }
}

const EMPTY_CALL: Omit<StoreCall, 'have'> = {
  member: 'nobody', incarnation: 'none', number: 1, leaseMs: LONG_LEASE_MS, probers: 3, state: null, record: null, beside: null,
  reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: 1000, operatorStates: [],
};

/** `rewrite` takes times out of the texts; the reader has seen to it that the digest is right. */
function joinedTable(pages: readonly TableChanges[], rewrite?: (key: string, text: string) => string): unknown {
  const last = pages.at(-1)!;
  const entries = pages.flatMap((page) => page.entries).map(({ key, text }) => [key, text !== null && rewrite !== undefined ? rewrite(key, text) : text]);
  return { whole: pages.map(({ whole }) => whole).includes(true), entries, epoch: last.epoch, count: last.count, digest: rewrite === undefined ? last.digest : null };
}

function memberWithoutTimes(text: string): string {
  const { state, incarnation, readySinceMs, record } = parseMember(text)!;
  return `${state} ${incarnation} ${readySinceMs > 0} ${record.slice(0, 100)}`;
}

/** Epochs of roles come from the store's wall. */
function roleWithoutEpoch(key: string, text: string): string {
  const role = poolOfRoleKey(key) === null ? null : parseRole(text)!;
  return role === null ? text : `${role.phase} ${role.address}`;
}

function withoutEpoch(entry: Record<string, unknown>): Record<string, unknown> {
  return entry['kind'] === 'role' ? { ...entry, epoch: 0 } : entry;
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function differences(one: unknown, other: unknown): string {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null || Array.isArray(one)) return `${JSON.stringify(one)} against ${JSON.stringify(other)}`;
  const pairs = Object.entries(one).map(([key, value]) => [key, value, (other as Record<string, unknown>)[key]] as const);
  return pairs.filter(([, a, b]) => !isDeepStrictEqual(a, b)).map(([key, a, b]) => `${key}: ${differences(a, b)}`).join('; ');
}

/** Throws, with the seed, at the first step that two stores do not answer alike. `between` is done after each step, and given who steps on the second store. */
export async function compareTierStores(seed: number, stores: readonly [OpenedTierStore, OpenedTierStore], between?: (runner: TierStepRunner) => Promise<void>): Promise<void> {
  const runners = stores.map((opened) => new TierStepRunner(opened));
  for (const [index, step] of randomTierSteps(seed).entries()) {
    const [one, other] = await Promise.all(runners.map((runner) => runner.run(step)));
    if (!isDeepStrictEqual(one, other)) throw new Error(`seed ${seed}, step ${index}: ${JSON.stringify(step).slice(0, 1000)}: ${differences(one, other)}`);
    await between?.(runners[1]!);
  }
}
