/** How many files this process may have open. Read once at start: the runtime raises its own limit before that and never after. */
import { readFileSync } from 'node:fs';

/** The soft limit; null where the system does not say (no /proc), or there is none. */
export function descriptorsMax(limitsFile = '/proc/self/limits'): number | null {
  try {
    const soft = /^Max open files\s+([0-9]+)/m.exec(readFileSync(limitsFile, 'utf8'))?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}
