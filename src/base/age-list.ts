/**
 * The members of something, oldest first, each added once and removed in any
 * order at the cost of a few stores. A Set does the same at first sight, but
 * not under churn: each of its rehashes leaves its former table behind, that
 * table points to the next, and one such table in the old generation keeps
 * everything alive that was ever in a later one, until a full collection. With
 * a connection per request that was nearly every connection.
 */
export interface Aged<Member> {
  /** Neighbours by age; the list's alone. */
  older: Member | null;
  newer: Member | null;
}

export class AgeList<Member extends Aged<Member>> {
  #oldest: Member | null = null;
  #newest: Member | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** `member` is in no list. */
  add(member: Member): void {
    member.older = this.#newest;
    if (this.#newest === null) this.#oldest = member;
    else this.#newest.newer = member;
    this.#newest = member;
    this.#size++;
  }

  /** False if it was not in the list. */
  delete(member: Member): boolean {
    const { older, newer } = member;
    if (older === null && this.#oldest !== member) return false;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    member.older = member.newer = null;
    this.#size--;
    return true;
  }

  /** From the oldest on; the member just given may be removed meanwhile, others may not. */
  *[Symbol.iterator](): Generator<Member, void, void> {
    for (let member = this.#oldest; member !== null; ) {
      const { newer } = member;
      yield member;
      member = newer;
    }
  }
}
