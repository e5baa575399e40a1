/**
 * What a config does also depends on the modules it names: their bytes count
 * in the effective hash, so that a reload with an edited module is a change,
 * and two proxies with different code show different hashes.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Snapshot } from '../shared/snapshot.ts';

/** `snapshot` as it is if it names no module. */
export function withModuleCode(snapshot: Snapshot): Snapshot {
  const paths = snapshot.pools.flatMap(({ algorithm }) => algorithm.module ?? []);
  if (paths.length === 0) return snapshot;
  const hash = createHash('sha256').update(snapshot.effectiveSha);
  for (const path of paths) hash.update(codeOf(path));
  return { ...snapshot, effectiveSha: hash.digest('hex') };
}

/** What cannot be read is refused where it is loaded. */
function codeOf(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch {
    return new Uint8Array();
  }
}
