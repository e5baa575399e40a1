/** A backend of a pool as the algorithms see it: its load is read from shared memory, so it is that of all workers. */
import type { BackendRow } from '../../shared/backend-table.ts';
import type { Candidate } from './balancer.ts';
import { latencyAge } from './latency.ts';

/** The table time of the pick under way: one reading of the clock for all candidates it looks at. */
export interface PickTime {
  now: number;
}

export class PoolCandidate implements Candidate {
  readonly address: string;
  readonly weight: number;
  readonly #row: BackendRow;
  readonly #time: PickTime;

  constructor(address: string, weight: number, row: BackendRow, time: PickTime) {
    this.address = address;
    this.weight = weight;
    this.#row = row;
    this.#time = time;
  }

  inFlight(): number {
    return this.#row.inFlightHint;
  }

  latencyUs(): number {
    return this.#row.latencyUsHint;
  }

  latencyAgeMs(): number {
    return latencyAge(this.#row.latencyAtHintMs, this.#time.now);
  }
}
