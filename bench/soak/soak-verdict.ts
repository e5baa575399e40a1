/** Whether a proxy that was soaked is again as it was, within tolerances that are stated here and nowhere else. */
import type { SoakSample } from './soak-sample.ts';
import type { VisitTally } from './visits.ts';

/**
 * Read buffers that two workers may hold for the next answers: SPARE_MAX of 256
 * KiB each (src/data-plane/connect/read-buffer.ts). How many it is at one moment
 * is chance, since an exchange that breaks off takes its buffer with it.
 */
const BUFFERS_KEPT_MIB = 16;
/** Of the figure after the warm-up; what was measured, and of what it is made, stands in bench/README.md. */
const RSS_GROWTH_MAX = 0.05;
const RSS_SLACK_MIB = 8;
/** After a full collection: code that was compiled since, caches that were filled. */
const HELD_GROWTH_MAX = 0.1;
const HELD_SLACK_MIB = 2;

export interface Finding {
  readonly what: string;
  readonly isHeld: boolean;
  readonly text: string;
}

export function verdictOf(before: SoakSample, after: SoakSample, tally: VisitTally, failures: Readonly<Record<string, number>>): Finding[] {
  const rssMost = before.rssMiB * (1 + RSS_GROWTH_MAX) + RSS_SLACK_MIB + BUFFERS_KEPT_MIB;
  const heldMost = before.heldMiB * (1 + HELD_GROWTH_MAX) + HELD_SLACK_MIB + BUFFERS_KEPT_MIB;
  return [
    { what: 'RSS', isHeld: after.rssMiB <= rssMost, text: `${before.rssMiB.toFixed(1)} → ${after.rssMiB.toFixed(1)} MiB, at most ${rssMost.toFixed(1)}` },
    { what: 'heap and buffers', isHeld: after.heldMiB <= heldMost, text: `${before.heldMiB.toFixed(1)} → ${after.heldMiB.toFixed(1)} MiB, at most ${heldMost.toFixed(1)}` },
    { what: 'descriptors', isHeld: after.descriptors <= before.descriptors, text: `${before.descriptors} → ${after.descriptors}` },
    ...(['clients', 'backendConnections', 'inFlight'] as const).map((what) => ({ what, isHeld: after[what] === 0, text: `${before[what]} → ${after[what]}, which must be 0` })),
    { what: 'wrong answers', isHeld: tally.wrong === 0, text: tally.wrong === 0 ? '0' : `${tally.wrong}, the first: ${tally.firstWrong}` },
    ...Object.entries(failures).map(([what, count]) => ({ what, isHeld: count === 0, text: String(count) })),
  ];
}
