/**
 * The sessions of one listener in one worker, and who has to go when the places
 * of all workers are taken: first who was never answered (whoever forges sender
 * addresses makes nothing else), of those the one longest unused; only then,
 * and only for who has waited for another worker to find one of those, the
 * answered one longest unused. "Used" is exact to a tick.
 */
import { AgeList } from '../../base/age-list.ts';
import type { ListenerRow } from '../../shared/backend-table.ts';
import type { UdpSession } from '../relay/udp-session.ts';

export class UdpPlaces {
  readonly #unanswered = new AgeList<UdpSession>();
  readonly #answered = new AgeList<UdpSession>();

  get size(): number {
    return this.#unanswered.size + this.#answered.size;
  }

  add(session: UdpSession): void {
    this.#listOf(session).add(session);
  }

  delete(session: UdpSession): boolean {
    return this.#listOf(session).delete(session);
  }

  /** It becomes the newest of its kind. */
  touch(session: UdpSession): void {
    const list = this.#listOf(session);
    if (list.delete(session)) list.add(session);
  }

  /** Called once, after `hasAnswered` was set. */
  onAnswered(session: UdpSession): void {
    if (this.#unanswered.delete(session)) this.#answered.add(session);
  }

  /** A copy: they may end meanwhile. */
  all(): readonly UdpSession[] {
    return [...this.#unanswered, ...this.#answered];
  }

  /**
   * One of `limit` places (0: no limit), which the caller gives back with
   * `addConnections(-1)`. `mayEvictAnswered`: of this worker's sessions any may
   * have to go, which is also so when all there are are its own.
   */
  take(row: ListenerRow, limit: number, mayEvictAnswered: boolean): boolean {
    if (row.addConnections(1) <= limit || limit === 0) return true;
    if (this.evictUnanswered()) return true;
    if ((mayEvictAnswered || this.size >= limit) && this.#evictOldest(this.#answered)) return true;
    row.addConnections(-1);
    return false;
  }

  evictUnanswered(): boolean {
    return this.#evictOldest(this.#unanswered);
  }

  #evictOldest(list: AgeList<UdpSession>): boolean {
    for (const session of list) {
      session.end('evicted');
      return true;
    }
    return false;
  }

  #listOf(session: UdpSession): AgeList<UdpSession> {
    return session.hasAnswered ? this.#answered : this.#unanswered;
  }
}
