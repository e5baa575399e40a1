/**
 * When which lease ends, for member-book.ts: a heap by deadline, then member.
 * Leases are renewed far more often than they end, so a renewal only moves the
 * lease's own `deadlineMs`; its place in the heap is put right when it comes up.
 */
export interface Lease {
  readonly member: string;
  readonly incarnation: string;
  deadlineMs: number;
  /** Where the heap has it: not after `deadlineMs`. */
  queuedMs: number;
}

interface Place {
  readonly dueMs: number;
  readonly member: string;
  readonly incarnation: string;
}

export class LeaseHeap {
  #heap: Place[] = [];

  copy(): LeaseHeap {
    const copy = new LeaseHeap();
    copy.#heap = [...this.#heap];
    return copy;
  }

  add(lease: Lease): void {
    lease.queuedMs = lease.deadlineMs;
    this.#push({ dueMs: lease.deadlineMs, member: lease.member, incarnation: lease.incarnation });
  }

  renew(lease: Lease, deadlineMs: number): void {
    lease.deadlineMs = deadlineMs;
    // Shorter than before (the tier's lease was changed): it would come up too late.
    if (deadlineMs < lease.queuedMs) this.add(lease);
  }

  /** Takes out the lease that ended first, at `nowMs` at the latest; null: none has. `find` gives the lease an incarnation holds now. */
  takeLapsed<L extends Lease>(nowMs: number, find: (place: Pick<Lease, 'member' | 'incarnation'>) => L | null): L | null {
    while (true) {
      const first = this.#heap[0];
      if (first === undefined || first.dueMs > nowMs) return null;
      this.#pop();
      const lease = find(first);
      if (lease === null || lease.queuedMs !== first.dueMs) continue;
      if (lease.deadlineMs <= nowMs && lease.deadlineMs === first.dueMs) return lease;
      this.add(lease);
    }
  }

  #push(place: Place): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(place);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!comesBefore(place, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = place;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    while (true) {
      let child = 2 * index + 1;
      if (child + 1 < heap.length && comesBefore(heap[child + 1]!, heap[child]!)) child++;
      if (child >= heap.length || !comesBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }
}

function comesBefore(a: Place, b: Place): boolean {
  return a.dueMs === b.dueMs ? a.member < b.member : a.dueMs < b.dueMs;
}
