/**
 * Descriptors that a program we start would get without being given them: those
 * that this process itself was started with, by a shell, a supervisor or
 * systemd. Everything that the runtime opens is closed on exec, and so are, by
 * its doing, the first few of the others; the rest it does not look for. Asked
 * by programs.ts, once. Where there is no /proc nothing is known.
 */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = '/proc/self/fdinfo';
const O_CLOEXEC = 0o2000000;
/** Each costs a place in an array up to its number. */
const NUMBER_MAX = 4096;

/** Sorted, without the three standard ones. */
export function inheritedDescriptors(): readonly number[] {
  let names: readonly string[];
  try {
    names = readdirSync(FOLDER);
  } catch {
    return [];
  }
  return names.map(Number).filter((number) => number > 2 && number <= NUMBER_MAX && isInherited(number)).sort((a, b) => a - b);
}

function isInherited(number: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`${FOLDER}/${number}`, 'latin1'))?.[1];
    return flags !== undefined && (parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch {
    // It was the one that the folder was read with.
    return false;
  }
}
