/** Inputs kept on disk: one file each, named by its content, so that the same input is kept once. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const corpusFolder = join(import.meta.dirname, 'corpus');
/** Inputs that broke a property: not kept in the repository; once fixed they move to the corpus. */
export const findingsFolder = join(import.meta.dirname, 'findings');

export interface KeptInput {
  readonly file: string;
  readonly bytes: Buffer;
}

export function readInputs(folder: string, target: string): KeptInput[] {
  const path = join(folder, target);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.raw'))
    .sort()
    .map((file) => ({ file: join(path, file), bytes: readFileSync(join(path, file)) }));
}

/** Returns the file's path. */
export function keepInput(folder: string, target: string, bytes: Buffer): string {
  const path = join(folder, target);
  mkdirSync(path, { recursive: true });
  const file = join(path, `${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}.raw`);
  writeFileSync(file, bytes);
  return file;
}

/** Leaves exactly these inputs in the target's folder. */
export function replaceInputs(folder: string, target: string, inputs: readonly Buffer[]): void {
  rmSync(join(folder, target), { recursive: true, force: true });
  for (const bytes of inputs) keepInput(folder, target, bytes);
}
