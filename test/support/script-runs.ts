/** A probe's script played over bytes instead of a connection: what it says, and how it ends, however the bytes are cut. */
import { reasonText } from '../../src/control-plane/health/reason-text.ts';
import { TalkRun, type RunState, type Talk } from '../../src/control-plane/health/talk-script.ts';

export interface ScriptRun {
  /** `passed`, the reason, or `waits`: with all bytes received and the connection open. */
  readonly end: string;
  /** Everything it said, the goodbye too; latin1. */
  readonly said: string;
}

const BYTES_MAX = 64 * 1024;

/** `closes`: the backend closes after the last piece. */
export function runScript(script: Talk, pieces: readonly Buffer[], { closes = false, bytesMax = BYTES_MAX, secrets = [] as readonly string[] } = {}): ScriptRun {
  let said = '';
  const run = new TalkRun(script, bytesMax, (bytes) => (said += bytes.toString('latin1')));
  let end: RunState | null = null;
  const settle = (state: RunState): void => {
    let now = state;
    while (now.is === 'compute' || now.is === 'secure') {
      if (now.is === 'secure') said += '<TLS>';
      now = now.is === 'secure' ? run.secured() : run.computed(now.step.now());
    }
    if (now.is === 'end') end ??= now;
  };
  settle(run.begin());
  for (const piece of pieces) settle(run.feed(piece));
  if (closes) settle(run.close());
  const last = end as RunState | null;
  if (last?.is !== 'end') return { end: 'waits', said };
  if (last.end.goodbye !== undefined) said += last.end.goodbye.toString('latin1');
  return { end: last.end.passed ? 'passed' : reasonText(last.end.reason, last.end.said, secrets), said };
}

/** `bytes` whole, cut into two everywhere (at so many places at most), byte by byte, and in threes. */
export function splitsOf(bytes: Buffer, placesMax = 512): Buffer[][] {
  const step = Math.max(1, Math.ceil(bytes.length / placesMax));
  const inTwo = Array.from({ length: Math.floor(bytes.length / step) }, (_, i) => [bytes.subarray(0, i * step), bytes.subarray(i * step)]);
  return [[bytes], ...inTwo, piecesOf(bytes, 1), piecesOf(bytes, 3)];
}

export function piecesOf(bytes: Buffer, pieceBytes: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes));
}

/** The one run that all splits of `bytes` come to; throws if two differ. `script` makes a fresh one each time. */
export function runOverSplits(script: () => Talk, bytes: Buffer, options: { closes?: boolean; bytesMax?: number; secrets?: readonly string[] } = {}): ScriptRun {
  const [first, ...others] = splitsOf(bytes).map((pieces) => runScript(script(), pieces, options));
  for (const other of others) {
    if (other.end !== first!.end || other.said !== first!.said) throw new Error(`splits differ: ${JSON.stringify(first)} and ${JSON.stringify(other)}`);
  }
  return first!;
}
