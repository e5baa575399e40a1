/**
 * The tier's store in this process's memory: of a tier of one (`store: none`),
 * and of a whole tier in simulations. It answers at once, in the order asked;
 * what it holds is TierState's. A simulation may do to it what befalls a real
 * one: lose the last writes, lose everything, have its clock set.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { TierState } from './memory/tier-state.ts';
import type { RoleAck, RoleAdmission, RoleAdmissionAnswer, RoleMove, RoleMoveAnswer } from './role-records.ts';
import type { StoreDefinition } from './store-definition.ts';
import { assertAsks, assertCall, assertCaller, assertJoin, assertKeys, assertLogPage, assertPublish, assertRestore, assertRoleAcks, assertRoleAdmission, assertRoleMove, assertStep, assertTicketPut, assertVote, assertWatch } from './step-limits.ts';
import type { TicketPut, TicketPutAnswer } from './ticket-records.ts';
import {
  StoreAway,
  type Caller,
  type JoinAnswer,
  type JoinCall,
  type LimitAsk,
  type LogEntry,
  type PublishAnswer,
  type PublishCall,
  type RestoreAnswer,
  type RestoreCall,
  type RolloutStep,
  type StepAnswer,
  type StoreAnswer,
  type StoreCall,
  type StoredVersion,
  type StoreHint,
  type TierStore,
  type Vote,
} from './tier-store.ts';

export interface TierMemoryStoreOptions {
  /** The store's own: its monotonic time is what a server's TIME is, its wall time goes into the log. */
  readonly clock: Clock;
  /** For the ids of runs; absent: they are as random as can be. */
  readonly random?: Random;
}

/** What a store held at one moment; opaque. */
export interface TierSnapshot {
  readonly state: TierState;
}

export class TierMemoryStore implements TierStore {
  readonly #clock: Clock;
  readonly #random: Random | null;
  readonly #listeners = new Set<(hint: StoreHint) => void>();
  #state: TierState;
  #closed = false;
  /** Added to what the clock says; to change it is to set the store's clock. */
  timeOffsetMs = 0;

  constructor({ clock, random }: TierMemoryStoreOptions) {
    this.#clock = clock;
    this.#random = random ?? null;
    this.#state = new TierState(this.#newRun());
  }

  call(call: StoreCall): Promise<StoreAnswer> {
    return this.#step(() => assertCall(call), (state) => state.call(call), call.leaseMs);
  }

  join(call: JoinCall): Promise<JoinAnswer> {
    return this.#step(() => assertJoin(call), (state) => state.join(call), call.leaseMs);
  }

  leave(caller: Caller): Promise<void> {
    return this.#step(() => assertCaller(caller), (state) => state.leave(caller));
  }

  stepOut(caller: Caller): Promise<boolean> {
    return this.#step(() => assertCaller(caller), (state) => state.stepOut(caller));
  }

  publish(call: PublishCall): Promise<PublishAnswer> {
    return this.#step(() => assertPublish(call), (state) => state.publish(call));
  }

  step(step: RolloutStep): Promise<StepAnswer> {
    return this.#step(() => assertStep(step), (state) => state.step(step));
  }

  vote(vote: Vote): Promise<void> {
    return this.#step(() => assertVote(vote), (state) => state.vote(vote));
  }

  votes(number: number): Promise<ReadonlyMap<string, string>> {
    return this.#step(null, (state) => state.votes(number));
  }

  restore(call: RestoreCall): Promise<RestoreAnswer> {
    return this.#step(() => assertRestore(call), (state) => state.restore(call));
  }

  versions(): Promise<readonly StoredVersion[]> {
    return this.#step(null, (state) => state.config.versions());
  }

  version(number: number): Promise<(StoredVersion & { readonly bytes: Uint8Array }) | null> {
    return this.#step(null, (state) => state.config.version(number));
  }

  raiseProtocol(caller: Caller, protocol: number, membersEpoch: number): Promise<boolean> {
    return this.#step(() => assertCaller(caller), (state) => state.raiseProtocol(caller, protocol, membersEpoch));
  }

  forget(caller: Caller, checks: readonly string[]): Promise<boolean> {
    return this.#step(() => (assertCaller(caller), assertKeys(checks)), (state) => state.forget(caller, checks));
  }

  moveRole(move: RoleMove): Promise<RoleMoveAnswer> {
    return this.#step(() => assertRoleMove(move), (state) => state.moveRole(move));
  }

  admitRole(admission: RoleAdmission): Promise<RoleAdmissionAnswer> {
    return this.#step(() => assertRoleAdmission(admission), (state) => state.admitRole(admission));
  }

  acknowledgeRoles(caller: Caller, acks: readonly RoleAck[]): Promise<void> {
    return this.#step(() => assertRoleAcks(caller, acks), (state) => state.acknowledgeRoles(caller, acks));
  }

  putTickets(put: TicketPut): Promise<TicketPutAnswer> {
    return this.#step(() => assertTicketPut(put), (state) => state.putTickets(put));
  }

  beside(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#step(() => assertKeys(ids), (state) => state.beside(ids));
  }

  reports(checks: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    return this.#step(() => assertKeys(checks), (state) => state.reports(checks));
  }

  log(after: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#step(() => assertLogPage(after, limit), (state) => state.log(after, limit));
  }

  watch(pool: string, forMs: number): Promise<void> {
    return this.#step(() => assertWatch(pool, forMs), (state) => state.watch(pool, forMs));
  }

  takeTokens(caller: Caller, asks: readonly LimitAsk[]): Promise<readonly number[]> {
    return this.#step(() => assertAsks(caller, asks), (state) => state.takeTokens(caller, asks));
  }

  subscribe(onHint: (hint: StoreHint) => void): () => void {
    // A function of its own for each, so that the same one may subscribe twice.
    const listener = (hint: StoreHint): void => onHint(hint);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    return Promise.resolve();
  }

  /** What a replica would have of it now. Costs as much as there is. */
  snapshot(): TierSnapshot {
    return { state: this.#state.copy() };
  }

  /** A failover to that replica: what was written since is lost, the run stays. A snapshot can be restored many times. */
  restoreSnapshot(snapshot: TierSnapshot): void {
    this.#state = snapshot.state.copy();
  }

  /** Everything is lost. */
  flush(): void {
    this.#state = new TierState(this.#newRun());
  }

  /** Not async in earnest: the step is taken in the same turn, and still comes as the promise the contract wants. */
  #step<Answer>(check: (() => void) | null, take: (state: TierState) => Answer, leaseMs: number | null = null): Promise<Answer> {
    if (this.#closed) return Promise.reject(new StoreAway('closed'));
    try {
      check?.();
      this.#state.begin(this.#clock.monotonicMs() + this.timeOffsetMs, this.#clock.wallMs() + this.timeOffsetMs, leaseMs);
      const answer = take(this.#state);
      const hint = this.#state.takeHint();
      if (hint !== null) this.#send(hint);
      return Promise.resolve(answer);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** In a turn of their own: a listener may call the store again, and must not do so in the midst of a step. */
  #send(hint: StoreHint): void {
    for (const listener of [...this.#listeners]) {
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(hint);
      });
    }
  }

  #newRun(): string {
    const random = this.#random;
    if (random === null) return randomUUID().replaceAll('-', '');
    return Array.from({ length: 32 }, () => random.below(16).toString(16)).join('');
  }
}

export const memoryStore: StoreDefinition = {
  name: 'memory',
  summary: 'Keeps what a proxy without a tier knows, in its own memory; it is empty at each start.',
  accepts: (url) => url === 'none',
  open: ({ clock }) => new TierMemoryStore({ clock }),
};
