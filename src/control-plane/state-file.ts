/**
 * A small JSON file that survives a crash: written beside, synced, renamed, the
 * folder synced, readable by its owner alone. What cannot be read is absent,
 * and said; it never stops a start.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

export type StateFileContent = { readonly kind: 'read'; readonly value: unknown } | { readonly kind: 'absent' } | { readonly kind: 'unreadable'; readonly cause: string };

export class StateFile {
  readonly path: string;
  /** Writes go one after the other; of those that wait only the last is done. */
  #writing: Promise<void> | null = null;
  #next: { readonly value: unknown; readonly done: Promise<void> } | null = null;

  constructor(path: string) {
    this.path = path;
  }

  async read(): Promise<StateFileContent> {
    try {
      return { kind: 'read', value: JSON.parse(await readFile(this.path, 'utf8')) as unknown };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'absent' };
      return { kind: 'unreadable', cause: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Resolves when `value`, or one written after it, is on the disk; rejects if it could not be written. */
  write(value: unknown): Promise<void> {
    if (this.#writing === null) {
      this.#writing = this.#put(value).finally(() => (this.#writing = null));
      return this.#writing;
    }
    const done = this.#next?.done ?? this.#writing.catch(() => undefined).then(() => this.#writeNext());
    this.#next = { value, done };
    return done;
  }

  #writeNext(): Promise<void> {
    const { value } = this.#next!;
    this.#next = null;
    return this.write(value);
  }

  async #put(value: unknown): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const beside = `${this.path}.new`;
    const file = await open(beside, 'w', 0o600);
    try {
      // A file left over by a crash keeps its mode when opened again.
      await file.chmod(0o600);
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, this.path);
    const folder = await open(dirname(this.path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
