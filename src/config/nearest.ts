/**
 * Which known word a misspelt one was meant to be: Damerau-Levenshtein
 * distance (insert, drop, replace, swap of neighbours), ignoring case, hyphens
 * and underscores, so that `max_ejected` finds `maxEjected`.
 */

/** Longer words are no typing slips, and would make the search quadratic in what an operator pasted. */
const WORD_LENGTH_MAX = 64;

/** The nearest of `candidates` to a misspelt `word`, or null if none is near enough to be meant. Of equals, the first. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  if (word.length > WORD_LENGTH_MAX) return null;
  const wanted = plain(word);
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    if (candidate.length > WORD_LENGTH_MAX) continue;
    const known = plain(candidate);
    const allowed = slipsAllowed(Math.max(wanted.length, known.length));
    if (Math.abs(wanted.length - known.length) > allowed) continue;
    const distance = editDistance(wanted, known);
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** A third of the word may be wrong, but never all of a short one. */
function slipsAllowed(length: number): number {
  if (length <= 2) return 0;
  return Math.min(3, Math.max(1, Math.floor(length / 3)));
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_\s]/g, '');
}

/** Optimal string alignment distance: no substring is edited twice. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      let distance = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + cost);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        distance = Math.min(distance, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
