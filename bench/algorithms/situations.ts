/** What the backends are like, and what happens to them, while an algorithm is at work. */
import type { BackendPlan, FleetOrder } from './backend-fleet.ts';

export interface Situation {
  readonly name: string;
  readonly summary: string;
  readonly plans: readonly BackendPlan[];
  /** Orders given at a share of the run. */
  readonly events: readonly { readonly atShare: number; readonly order: FleetOrder }[];
}

const fast: BackendPlan = { slots: 4, holdMs: 10 };
/** A quarter of the others' speed: an even share of the load is just what it can do. */
const slow: BackendPlan = { slots: 4, holdMs: 40 };
const four = [fast, fast, fast, fast];

/** Requests a second, whatever becomes of those sent before: a quarter of what four fast backends can do. */
export const REQUESTS_PER_SECOND = 400;

export const situations: readonly Situation[] = [
  { name: 'equal', summary: 'four equal backends', plans: four, events: [] },
  { name: 'unequal', summary: 'the fourth backend is four times as slow', plans: [fast, fast, fast, slow], events: [] },
  {
    name: 'stalling',
    summary: 'the fourth backend takes 200 ms in the middle third',
    plans: four,
    events: [
      { atShare: 1 / 3, order: { kind: 'hold', index: 3, holdMs: 200 } },
      { atShare: 2 / 3, order: { kind: 'hold', index: 3, holdMs: fast.holdMs } },
    ],
  },
  {
    name: 'failing',
    summary: 'the fourth backend is killed after a third and back after two',
    plans: four,
    events: [
      { atShare: 1 / 3, order: { kind: 'kill', index: 3 } },
      { atShare: 2 / 3, order: { kind: 'revive', index: 3 } },
    ],
  },
];
