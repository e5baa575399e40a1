/**
 * What differs between two texts, line by line, as a unified diff (as `diff -u`
 * prints it). Myers' O(ND) greedy algorithm; where more than EDITS_MAX lines
 * differ, the differing middle is shown as removed and added whole, so that no
 * input takes long.
 */

const EDITS_MAX = 1000;
const CONTEXT = 3;

type Edit = { readonly kind: ' ' | '-' | '+'; readonly text: string };

/** '' if the texts are the same. Lines of the result end in newlines. */
export function unifiedDiff(from: string, to: string, names: { readonly from: string; readonly to: string }): string {
  if (from === to) return '';
  const edits = editsOf(linesOf(from), linesOf(to));
  const out = [`--- ${names.from}`, `+++ ${names.to}`];
  let [fromLine, toLine] = [1, 1];
  for (let at = 0; at < edits.length; ) {
    const change = nextChange(edits, at);
    if (change === edits.length) break;
    const start = Math.max(at, change - CONTEXT);
    fromLine += start - at;
    toLine += start - at;
    const end = hunkEnd(edits, change);
    const hunk = edits.slice(start, end);
    const removed = hunk.filter(({ kind }) => kind !== '+').length;
    const added = hunk.filter(({ kind }) => kind !== '-').length;
    out.push(`@@ -${rangeText(fromLine, removed)} +${rangeText(toLine, added)} @@`, ...hunk.map(({ kind, text }) => kind + text));
    fromLine += removed;
    toLine += added;
    at = end;
  }
  return `${out.join('\n')}\n`;
}

function rangeText(line: number, count: number): string {
  const first = count === 0 ? line - 1 : line;
  return count === 1 ? String(first) : `${first},${count}`;
}

function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  else lines[lines.length - 1] += '\n\\ No newline at end of file';
  return lines;
}

function nextChange(edits: readonly Edit[], from: number): number {
  let at = from;
  while (at < edits.length && edits[at]!.kind === ' ') at++;
  return at;
}

/** Changes closer than their two contexts are one hunk. */
function hunkEnd(edits: readonly Edit[], change: number): number {
  let last = change;
  for (let at = change; at < edits.length && at - last <= 2 * CONTEXT; at++) if (edits[at]!.kind !== ' ') last = at;
  return Math.min(edits.length, last + 1 + CONTEXT);
}

function editsOf(from: readonly string[], to: readonly string[]): Edit[] {
  let head = 0;
  while (head < from.length && head < to.length && from[head] === to[head]) head++;
  let tail = 0;
  while (tail < from.length - head && tail < to.length - head && from[from.length - 1 - tail] === to[to.length - 1 - tail]) tail++;
  const a = from.slice(head, from.length - tail);
  const b = to.slice(head, to.length - tail);
  const same = (lines: readonly string[]): Edit[] => lines.map((text) => ({ kind: ' ', text }));
  return [...same(from.slice(0, head)), ...middleEdits(a, b), ...same(from.slice(from.length - tail))];
}

function middleEdits(a: readonly string[], b: readonly string[]): Edit[] {
  const found = search(a, b);
  const { trace, zero } = found ?? { trace: null, zero: 0 };
  if (trace === null) return [...a.map((text): Edit => ({ kind: '-', text })), ...b.map((text): Edit => ({ kind: '+', text }))];
  const edits: Edit[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d--) {
    const at = (diagonal: number): number => trace[d]![zero + diagonal]!;
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const formerK = down ? k + 1 : k - 1;
    const formerX = at(formerK);
    const formerY = formerX - formerK;
    while (x > (d === 0 ? 0 : formerX) && y > (d === 0 ? 0 : formerY)) {
      edits.push({ kind: ' ', text: a[--x]! });
      y--;
    }
    if (d === 0) break;
    edits.push(down ? { kind: '+', text: b[--y]! } : { kind: '-', text: a[--x]! });
  }
  return edits.reverse();
}

/** For each number of edits, how far along each diagonal one came before the last; null: too many differ. */
function search(a: readonly string[], b: readonly string[]): { readonly trace: readonly Int32Array[]; readonly zero: number } | null {
  const most = Math.min(EDITS_MAX, a.length + b.length);
  const zero = most + 1;
  const reach = new Int32Array(2 * most + 3);
  const at = (diagonal: number): number => reach[zero + diagonal]!;
  const trace: Int32Array[] = [];
  for (let d = 0; d <= most; d++) {
    trace.push(reach.slice());
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
      let x = down ? at(k + 1) : at(k - 1) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      reach[zero + k] = x;
      if (x >= a.length && y >= b.length) return { trace, zero };
    }
  }
  return null;
}
