/**
 * Random steps of a tier, taken in two stores at once: what they answer must be
 * the same, but for what comes of time and chance. Leases are long and buckets
 * do not fill, so that nothing depends on how long a step took.
 */
import { expect } from 'vitest';
import { seededRandom, type Random } from '../../src/base/random.ts';
import type { Caller, OperatorPut, ReadUpTo, StoreAnswer, StoreCall, TableChanges, TierStore, VerdictReport } from '../../src/control-plane/store/tier-store.ts';

const MEMBERS = ['a', 'b', 'c', 'd', 'é', 'f-1.example'];
const CHECKS = ['x', 'y', 'http://10.0.0.1:80 /é', 'z'];
const STATES = ['joining', 'ready', 'ready', 'ready', 'draining'] as const;
const LEASE_MS = 600_000;

interface Proxy {
  readonly caller: Caller;
  number: number;
  /** What it has read of each of the two stores: epochs of the config come from the wall. */
  have: [ReadUpTo | null, ReadUpTo | null];
}

type Step = (store: TierStore, which: 0 | 1) => Promise<unknown>;

export class DifferentialTier {
  readonly #stores: readonly [TierStore, TierStore];
  readonly #random: Random;
  readonly #proxies = new Map<string, Proxy>();
  #incarnations = 0;
  #versions = 0;
  #stamp = 0;

  constructor(stores: readonly [TierStore, TierStore], seed: number) {
    this.#stores = stores;
    this.#random = seededRandom(seed);
  }

  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) await this.#both(`step ${i}`, this.#nextStep());
    for (const id of MEMBERS) await this.#both(`${id} reads all`, this.#call(this.#proxy(id), { have: null }));
    await this.#both('the log', async (store) => (await store.log(0, 1000)).map(({ id, text }) => ({ id, entry: withoutTime(text) })));
    await this.#both('reports', (store) => store.reports(CHECKS));
    await this.#both('beside', (store) => store.beside(MEMBERS));
    await this.#both('versions', (store) => store.versions());
  }

  async #both(what: string, step: Step): Promise<void> {
    const [first, second] = [await step(this.#stores[0], 0), await step(this.#stores[1], 1)];
    expect({ what, step: String(step), answer: second }).toEqual({ what, step: String(step), answer: first });
  }

  #nextStep(): Step {
    const random = this.#random;
    const proxy = this.#proxy(this.#pick(MEMBERS));
    const { caller } = proxy;
    const kinds: readonly (() => Step)[] = [
      () => this.#join(caller.member),
      () => this.#call(proxy, { state: this.#pick(STATES) }),
      () => this.#call(proxy, { reports: this.#some(this.#report), reportsDigest: random.below(2) === 0 ? 0 : null }),
      () => this.#call(proxy, { reports: this.#some(this.#report), probers: 1 + random.below(5) }),
      () => this.#call(proxy, { operatorStates: this.#some(this.#put), beside: `b${random.below(3)}` }),
      () => this.#call(proxy, { record: `{"r":${random.below(3)}}`, suspicions: this.#some(() => this.#pick(CHECKS)) }),
      () => this.#call(proxy, { number: proxy.number - random.below(2) }),
      () => (store) => store.leave(caller),
      () => (store) => store.stepOut(caller),
      () => (store) => store.forget(caller, [this.#versions % 2 === 0 ? 'x' : 'y']),
      () => (store) => store.raiseProtocol(caller, 1),
      () => this.#publish(caller),
      () => this.#rollOn(caller),
      () => this.#restore(caller),
      () => this.#vote(caller),
      () => (store) => store.votes(this.#versions),
      () => (store) => store.version(this.#versions),
      () => this.#tokens(caller),
    ];
    return this.#pick([...kinds, ...kinds.slice(0, 7), ...kinds.slice(0, 7)])();
  }

  #join(member: string): Step {
    const former = this.#proxy(member).caller.incarnation;
    const previous = this.#pick([former, former, null]);
    const next: Proxy = { caller: { member, incarnation: `i${++this.#incarnations}` }, number: 0, have: [null, null] };
    const history = this.#pick(['h', 'h', 'h', null, 'other']);
    return async (store, which) => {
      while (true) {
        const answer = await store.join({ ...next.caller, previous, leaseMs: LEASE_MS, record: '{}', protocol: 1, protocolMin: 1, history });
        if (answer.kind === 'wait') continue;
        // Known to both stores before the next step.
        if (which === 1 && answer.kind === 'joined') this.#proxies.set(member, next);
        return answer.kind === 'joined' ? { kind: 'joined' } : answer;
      }
    };
  }

  #call(proxy: Proxy, parts: Partial<StoreCall>): Step {
    const number = parts.number ?? proxy.number + 1;
    proxy.number = Math.max(proxy.number, number);
    const readsOn = !('have' in parts) && this.#random.below(4) > 0;
    return async (store, which) => {
      const answer = await store.call({
        ...proxy.caller, leaseMs: LEASE_MS, probers: 3, state: null, record: null, beside: null, reports: [], reportsDigest: null, suspicions: [], suspicionEveryMs: LEASE_MS, operatorStates: [],
        have: readsOn ? proxy.have[which] : null, ...parts, number,
      });
      const config = answer.config?.epoch ?? proxy.have[which]?.config ?? 0;
      proxy.have[which] = { run: answer.run, members: answer.members.epoch, verdicts: answer.verdicts.epoch, operatorStates: answer.operatorStates.epoch, config };
      return comparable(answer);
    };
  }

  #publish(caller: Caller): Step {
    const [number, parent] = [this.#versions + this.#random.below(2), this.#random.below(3)];
    this.#versions = Math.max(this.#versions, number);
    return async (store) => {
      const [newest] = await store.versions();
      const parentSha = parent === 0 || newest === undefined ? null : `s${newest.number - (parent - 1)}`;
      return await store.publish({ ...caller, history: 'h', parentSha, number: number + 1, sha: `s${number + 1}`, version: `v${number}`, rollout: 'first', bytes: new Uint8Array([0, 255, number]) });
    };
  }

  #rollOn(caller: Caller): Step {
    const [ahead, expectedStep, ends, commits] = [this.#random.below(2), 1 + this.#random.below(2), this.#random.below(2), this.#random.below(2)];
    return async (store) => await store.step({ ...caller, number: Math.max(1, this.#versions + ahead), expectedStep, rollout: ends === 0 ? null : 'on', headText: commits === 0 ? null : 'head' });
  }

  #restore(caller: Caller): Step {
    const number = this.#versions + this.#random.below(2);
    const history = this.#pick(['h', 'h', 'h', 'other']);
    return (store) => store.restore({ ...caller, history, number: number + 1, sha: `s${number + 1}`, headText: 'restored', version: `v${number}`, bytes: new Uint8Array([number]), isFirst: number % 2 === 0 });
  }

  #vote(caller: Caller): Step {
    const [number, text] = [this.#versions + this.#random.below(2), `vote ${this.#random.below(3)}`];
    return (store) => store.vote({ ...caller, number: number + 1, text });
  }

  #tokens(caller: Caller): Step {
    const asks = this.#some(() => ({ key: this.#pick(CHECKS), tokens: this.#random.below(5), perSecond: 1e-6, burst: 20 }));
    return (store) => store.takeTokens(caller, asks);
  }

  readonly #report = (): VerdictReport => {
    const atMs = 1_790_000_000_000 + this.#random.below(1000);
    return { check: this.#pick(CHECKS), verdict: this.#pick(['up', 'down', 'down', null]), reason: this.#pick(['', 'connected', 'refused é 😀', 'a  b ']), atMs };
  };

  readonly #put = (): OperatorPut => {
    const stampMs = this.#random.below(2) === 0 ? this.#stamp : ++this.#stamp;
    const by = this.#pick(['me', 'you', 'é']);
    return { key: this.#pick(CHECKS), stampMs, by, text: `${stampMs} ${by} {"n":${this.#random.below(2)}}` };
  };

  #some<T>(make: () => T): T[] {
    return Array.from({ length: 1 + this.#random.below(3) }, make);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)]!;
  }

  #proxy(member: string): Proxy {
    return this.#proxies.get(member) ?? { caller: { member, incarnation: 'never' }, number: 0, have: [null, null] };
  }
}

/** Without ids made by chance, and times. */
function comparable({ run: _run, tierMs: _tierMs, publishInMs: _publishInMs, members, config, ...rest }: StoreAnswer): unknown {
  return { ...rest, members: withoutReadySince(members), config: config === null ? null : { head: config.head, rollout: config.rollout === null ? null : { ...config.rollout, startedMs: 0 } } };
}

function withoutReadySince({ digest: _digest, entries, ...rest }: TableChanges): unknown {
  return { ...rest, entries: entries.map(({ key, text }) => ({ key, text: text?.replace(/^(\S+ \S+) \d+ /, '$1 ') ?? null })) };
}

function withoutTime(text: string): unknown {
  return { ...(JSON.parse(text) as Record<string, unknown>), atMs: 0 };
}
