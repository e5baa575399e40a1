/** A store whose every step is timed for the metrics page, by whether the answer was a good one. */
import type { Clock } from '../../base/clock.ts';
import type { OperationTimes } from '../../observe/operation-times.ts';
import type { TierStore } from './tier-store.ts';

export type OperationResult = 'ok' | 'away';

export function timedStore(store: TierStore, clock: Clock, times: OperationTimes<OperationResult>): TierStore {
  const timed = async <T>(step: () => Promise<T>): Promise<T> => {
    const startMs = clock.monotonicMs();
    let result: OperationResult = 'away';
    try {
      const answer = await step();
      result = 'ok';
      return answer;
    } finally {
      times.add(result, (clock.monotonicMs() - startMs) / 1000);
    }
  };
  return {
    call: (call) => timed(() => store.call(call)),
    join: (call) => timed(() => store.join(call)),
    leave: (caller) => timed(() => store.leave(caller)),
    stepOut: (caller) => timed(() => store.stepOut(caller)),
    publish: (call) => timed(() => store.publish(call)),
    step: (step) => timed(() => store.step(step)),
    vote: (vote) => timed(() => store.vote(vote)),
    votes: (number) => timed(() => store.votes(number)),
    restore: (call) => timed(() => store.restore(call)),
    versions: () => timed(() => store.versions()),
    version: (number) => timed(() => store.version(number)),
    raiseProtocol: (caller, protocol, membersEpoch) => timed(() => store.raiseProtocol(caller, protocol, membersEpoch)),
    forget: (caller, checks) => timed(() => store.forget(caller, checks)),
    moveRole: (move) => timed(() => store.moveRole(move)),
    admitRole: (admission) => timed(() => store.admitRole(admission)),
    acknowledgeRoles: (caller, acks) => timed(() => store.acknowledgeRoles(caller, acks)),
    putTickets: (put) => timed(() => store.putTickets(put)),
    beside: (ids) => timed(() => store.beside(ids)),
    reports: (checks) => timed(() => store.reports(checks)),
    log: (after, limit) => timed(() => store.log(after, limit)),
    watch: (pool, forMs) => timed(() => store.watch(pool, forMs)),
    takeTokens: (caller, asks) => timed(() => store.takeTokens(caller, asks)),
    subscribe: (onHint) => store.subscribe(onHint),
    close: () => store.close(),
  };
}
