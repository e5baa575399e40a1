/** A member of a tier for the benches of the store: says what it is told to, over the adapter a proxy has, and does nothing by itself. */
import { entryHash, PROTOCOL, type ReadUpTo, type StoreAnswer, type StoreCall, type VerdictReport } from '../../src/control-plane/store/tier-store.ts';
import type { RedisStore } from '../../src/control-plane/store/redis-store.ts';
import { waitMs } from './bench-tier.ts';

const LEASE_MS = 60_000;
/** About what a proxy of four pools writes. */
const RECORD = JSON.stringify({ zone: 'zone-1', addresses: ['10.0.0.17:443'], sinceMs: 1_764_000_000_000, software: 'weir 1.0.0', protocol: 1, reason: '', history: 'f3b0c44298fc1c149afbf4c8996fb924' });
export const BESIDE = JSON.stringify({
  usage: { cpu: 0.034, rssBytes: 151_234_560, workers: 2, connections: 1412, busiest: 0.021 },
  software: 'weir 1.0.0',
  config: { number: 12, sha: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', effectiveSha: '27ae41e4649b934ca495991b7852b855e3b0c44298fc1c149afbf4c8996fb924' },
  answers: [18_412_331, 1201],
  pools: Object.fromEntries(['web', 'api', 'static', 'admin'].map((pool) => [pool, [4_512_331, 301, 17]])),
});

export class RedisMember {
  readonly store: RedisStore;
  readonly member: string;
  readonly incarnation: string;
  #number = 0;
  #have: ReadUpTo | null = null;
  #digest = 0;
  readonly #standing = new Map<string, 'up' | 'down'>();

  constructor(store: RedisStore, member: string) {
    this.store = store;
    this.member = member;
    this.incarnation = `${member}-0b7d3b7c-7f0f-4a58-9d2e-6f0a4c0d9e11`;
  }

  /** Ready, and with everything read. */
  async join(): Promise<void> {
    const { member, incarnation } = this;
    while (true) {
      const answer = await this.store.join({ member, incarnation, previous: null, leaseMs: LEASE_MS, record: RECORD, protocol: PROTOCOL, protocolMin: PROTOCOL, history: null });
      if (answer.kind === 'joined') break;
      if (answer.kind !== 'wait') throw new Error(`${member} may not join: ${answer.kind}`);
      await waitMs(answer.waitMs);
    }
    await this.call({ state: 'ready' });
    await this.readOn();
  }

  async readOn(): Promise<void> {
    while (hasMore(await this.call())) continue;
  }

  forgetWhatWasRead(): void {
    this.#have = null;
  }

  async call(said: Partial<Pick<StoreCall, 'state' | 'beside' | 'reports'>> = {}): Promise<StoreAnswer> {
    for (const report of said.reports ?? []) this.#count(report);
    const { member, incarnation } = this;
    const answer = await this.store.call({
      member, incarnation, number: ++this.#number, leaseMs: LEASE_MS, probers: 3,
      state: null, record: null, beside: null, reports: [], reportsDigest: this.#digest, suspicions: [], suspicionEveryMs: 1000, operatorStates: [], have: this.#have,
      ...said,
    });
    const config = answer.config?.epoch ?? this.#have?.config ?? 0;
    this.#have = { run: answer.run, members: answer.members.epoch, verdicts: answer.verdicts.epoch, operatorStates: answer.operatorStates.epoch, config };
    if (!answer.living || answer.reportsDiffer) throw new Error(`the store does not have what ${member} said`);
    return answer;
  }

  #count({ check, verdict }: VerdictReport): void {
    const former = this.#standing.get(check);
    if (former !== undefined) this.#digest = (this.#digest - entryHash(check, former)) >>> 0;
    if (verdict === null) return;
    this.#standing.set(check, verdict);
    this.#digest = (this.#digest + entryHash(check, verdict)) >>> 0;
  }
}

function hasMore({ members, verdicts, operatorStates }: StoreAnswer): boolean {
  return members.more || verdicts.more || operatorStates.more;
}
