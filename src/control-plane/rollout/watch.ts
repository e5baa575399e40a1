/**
 * Tells when the config, or a secret it names, has changed: once per change,
 * after all of them have been still for `QUIET_MS`. Editors replace a file by
 * renaming another over it, scripts write in pieces, Kubernetes turns a link
 * two levels up: so folders are watched, not files, and an event only means
 * "look again". Where the system gives no events (network file systems, no
 * watches left) a slow look round finds the change.
 *
 * A file that is gone is not a change: it counts when it is back.
 */
import { watch, type FSWatcher } from 'node:fs';
import type { Clock, Timer } from '../../base/clock.ts';
import { fileState, foldersOf } from './file-state.ts';

/** A file that was written within this time may still be on its way. */
const QUIET_MS = 200;
const LOOK_ROUND_MS = 2000;

export class FileWatch {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  #files: readonly string[] = [];
  /** What each file was when it last counted. */
  #known = new Map<string, string | null>();
  #watchers = new Map<string, FSWatcher>();
  #round: Timer | null = null;
  #quiet: Timer | null = null;
  /** What stood there when the quiet time began. */
  #seen = '';
  #looking = false;
  #lookAgain = false;
  #closed = false;

  /** `onChange` is called from a timer and must not throw. */
  constructor(clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /**
   * Watches exactly these files from now on. One that it knew already keeps
   * its state: what changed while the caller was busy is still found.
   */
  async follow(files: readonly string[]): Promise<void> {
    const known = new Map<string, string | null>();
    for (const file of files) known.set(file, this.#known.has(file) ? this.#known.get(file)! : await fileState(file));
    this.#known = known;
    this.#files = files;
    await this.#watchFolders();
    if (!this.#closed) this.#round ??= this.#clock.every(LOOK_ROUND_MS, () => this.#look());
    this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#round?.cancel();
    this.#quiet?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #look(): void {
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    this.#lookAgain = false;
    void this.#compare().finally(() => {
      this.#looking = false;
      if (this.#lookAgain && !this.#closed) this.#look();
    });
  }

  /** Begins the quiet time anew if anything differs from what it was at its beginning. */
  async #compare(): Promise<void> {
    const states = await this.#states();
    if (this.#closed) return;
    if (!this.#differs(states)) {
      this.#quiet?.cancel();
      this.#quiet = null;
      return;
    }
    const seen = textOf(states);
    if (this.#quiet !== null && seen === this.#seen) return;
    this.#seen = seen;
    this.#quiet?.cancel();
    this.#quiet = this.#clock.after(QUIET_MS, () => void this.#afterQuiet());
    await this.#watchFolders();
  }

  /** Events may be lost, so the end of the quiet time looks once more itself. */
  async #afterQuiet(): Promise<void> {
    this.#quiet = null;
    const states = await this.#states();
    if (this.#closed) return;
    if (textOf(states) !== this.#seen) return this.#look();
    // A look that was under way when the quiet time ended may have begun another one for the same change.
    if (!this.#differs(states)) return;
    for (const [file, state] of states) if (state !== null) this.#known.set(file, state);
    this.#onChange();
  }

  async #states(): Promise<Map<string, string | null>> {
    const files = this.#files;
    const states = await Promise.all(files.map((file) => fileState(file)));
    return new Map(files.map((file, index) => [file, states[index]!]));
  }

  #differs(states: ReadonlyMap<string, string | null>): boolean {
    return [...states].some(([file, state]) => state !== null && state !== this.#known.get(file));
  }

  async #watchFolders(): Promise<void> {
    const wanted = new Set((await Promise.all(this.#files.map(foldersOf))).flat());
    if (this.#closed) return;
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (!this.#watchers.has(folder)) this.#watchFolder(folder);
    }
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#look());
      watcher.on('error', () => {
        watcher.close();
        if (this.#watchers.get(folder) === watcher) this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // No such folder, or no watches left (ENOSPC): the look round still finds the change.
    }
  }
}

function textOf(states: ReadonlyMap<string, string | null>): string {
  return [...states.values()].join('\n');
}
