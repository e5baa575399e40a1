/**
 * Whose config is the tier's, in a simulated tier. A proxy's own file may begin
 * a history of its own only where nobody could have told it better: once no
 * proxy that has committed a config of the tier has been heard by the store for
 * two leases. Whoever comes back later with the former history stays apart:
 * serves by itself on what it had, says why, and changes nothing of the tier,
 * until an operator has it adopt. All that is held here.
 */
import type { SimMember } from './sim-member.ts';
import type { SimTier } from './sim-tier.ts';

const BACK_LEASES = 2;

export class SimHistories {
  readonly #tier: SimTier;
  readonly #begun: string[] = [];
  /** When one who knows the tier's config was heard last, and by whom. */
  #heard: { readonly atMs: number; readonly id: string } | null = null;
  /** Since then: what tier time may have been set forward by. */
  #forwardMs = 0;

  constructor(tier: SimTier) {
    this.#tier = tier;
    this.#hear();
    this.#watchBeginnings();
  }

  /** A step of the store's clock counts as half a lease at most. */
  clockSet(): void {
    this.#forwardMs += this.#tier.pace.leaseMs / 2;
  }

  /** Those with another history than the store's. */
  apart(): readonly SimMember[] {
    const { running } = this.#tier;
    const history = running.find(({ link }) => link.state.phase === 'connected')?.link.config?.head?.history;
    return history === undefined ? [] : running.filter(({ rollout }) => rollout.history !== null && rollout.history !== history);
  }

  checkApart(member: SimMember): void {
    const { id, link, rollout } = member;
    const { phase, reason } = link.state;
    if (this.#begun.length < 2) this.#tier.violate(`${id} has another history than the store's, and there was only one`);
    if (phase !== 'autonomous' || !reason.includes('another history')) this.#tier.violate(`${id} has another history than the store's and is ${phase} (${reason})`);
    if (rollout.failure === null && member.running()?.sha !== rollout.own?.sha) this.#tier.violate(`${id}, with a history of its own, runs another version than it has`);
    this.#tier.checkBackends(member);
  }

  /** An operator's `weir adopt` on each of them. */
  async adopt(): Promise<void> {
    for (const member of this.apart()) {
      this.#tier.tell(`an operator has ${member.id} adopt the tier's config`);
      await member.rollout.adopt();
    }
  }

  /** By steps that came to the store, whether or not their answers came back. */
  #hear(): void {
    const { store } = this.#tier;
    const call = store.call.bind(store);
    store.call = async (asked) => {
      this.#heardOf(asked.member);
      return await call(asked);
    };
    const join = store.join.bind(store);
    store.join = async (asked) => {
      const answer = await join(asked);
      if (asked.history !== null && (answer.kind === 'joined' || answer.kind === 'wait')) this.#heardOf(asked.member);
      return answer;
    };
  }

  #heardOf(id: string): void {
    if (this.#tier.members.get(id)?.rollout.history === null) return;
    this.#heard = { atMs: this.#tier.clock.monotonicMs(), id };
    this.#forwardMs = 0;
  }

  #watchBeginnings(): void {
    const { store, pace, clock } = this.#tier;
    const restore = store.restore.bind(store);
    store.restore = async (asked) => {
      const answer = await restore(asked);
      if (answer !== 'restored' || !asked.isFirst) return answer;
      const heardMs = this.#heard === null ? Number.POSITIVE_INFINITY : clock.monotonicMs() - this.#heard.atMs + this.#forwardMs;
      this.#tier.tell(`the file of ${asked.member} begins a history`);
      if (this.#begun.length > 0 && heardMs < BACK_LEASES * pace.leaseMs) this.#tier.violate(`the file of ${asked.member} began a history ${heardMs.toFixed(0)} ms after ${this.#heard?.id}, which knows the tier's config, was heard`);
      this.#begun.push(asked.history);
      return answer;
    };
  }
}
