/**
 * Runs the programs of `exec` probes: the one place of the product that starts
 * any. One for the process, made by whoever starts the control plane, who also
 * stops it. A config, which in a tier comes from the store, names them; so what
 * holds is held here, whatever the config says:
 *
 * - a program lies below the folder of `--plugins`, symbolic links resolved,
 *   each time it is run;
 * - it is started without a shell, its arguments as they are, in that folder,
 *   with the environment given and no other, and with no descriptor of ours but
 *   the two pipes that its output is read from (inherited-descriptors.ts);
 * - it leads a process group of its own, and all of the group is killed when it
 *   has ended, has taken too long, has written too much, or this process ends.
 *   Two things get away: a process that leaves the group by itself (setsid), and
 *   everything when this process is killed with SIGKILL;
 * - so many run at once; the next waits for a place, in the order of asking. A
 *   place is free when the program is gone, not when nobody waits for it any more.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { openSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { yieldToLoop, type Clock } from '../../base/clock.ts';
import { errorCodeOf } from '../../net/dial.ts';
import { inheritedDescriptors } from './inherited-descriptors.ts';

export interface ProgramOrder {
  /** Path, from the folder of the config on, and arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Ends it, or the wait for a place. */
  readonly signal: AbortSignal;
}

export type ProgramEnd =
  /** `line`: the first that it wrote, to its standard error if there was one; '' if none. */
  | { readonly kind: 'exit'; readonly code: number | null; readonly signal: string | null; readonly line: string; readonly ranMs: number }
  | { readonly kind: 'wrote-too-much' }
  | { readonly kind: 'stopped' }
  /** It was stopped before there was a place. */
  | { readonly kind: 'no-place' }
  /** `ours`: this machine has nothing left to start it with. */
  | { readonly kind: 'not-started'; readonly reason: string; readonly ours: boolean };

export interface ProgramsOptions {
  readonly clock: Clock;
  /** Folder of the config file: relative paths start there. */
  readonly folder: string;
  readonly pluginsDir: string;
  readonly atOnceMax?: number;
}

/** Each costs some milliseconds of this thread to start, and another core's time to run. */
const AT_ONCE_MAX = 16;
const OUTPUT_BYTES_MAX = 64 * 1024;
/** Of each output; a reason is shorter still. */
const KEPT_BYTES_MAX = 1024;
/** How long what a dead program wrote may take to arrive, and somebody who left the group may hold its pipes. */
const OUTPUT_GRACE_MS = 100;

const START_FAILURES: Readonly<Record<string, readonly [reason: string, ours: boolean]>> = {
  ENOENT: ['there is no such file', false],
  ENOTDIR: ['there is no such file', false],
  EACCES: ['it is not executable', false],
  EAGAIN: ['no more processes', true],
  ENOMEM: ['out of memory', true],
  EMFILE: ['out of file descriptors', true],
  ENFILE: ['out of file descriptors', true],
};

export class Programs {
  readonly #options: ProgramsOptions;
  readonly #atOnceMax: number;
  readonly #waiting = new Set<() => void>();
  /** Leaders of the groups that may still live. */
  readonly #running = new Set<ChildProcess>();
  #places: number;
  #starts: Promise<void> = Promise.resolve();
  #stopped = false;
  #stdio: StdioOptions | null = null;

  constructor(options: ProgramsOptions) {
    this.#options = options;
    this.#atOnceMax = options.atOnceMax ?? AT_ONCE_MAX;
    this.#places = this.#atOnceMax;
    process.once('exit', this.#atExit);
  }

  /** Never rejects, and does not outlast the signal. */
  async run(order: ProgramOrder): Promise<ProgramEnd> {
    if (!(await this.#place(order.signal))) return { kind: 'no-place' };
    return new Promise((resolve) => {
      // A file system that hangs keeps its place, but nobody waits for it.
      order.signal.addEventListener('abort', () => resolve({ kind: 'stopped' }), { once: true });
      this.#locate(order.command[0]!)
        .then(async (located) => (await this.#turn(), located))
        .then(([path, folder]) => this.#start(path, folder, order, resolve))
        .catch((error: unknown) => {
          this.#release();
          resolve(notStarted(error));
        });
    });
  }

  /** Kills what runs, and starts nothing more. */
  stop(): void {
    this.#stopped = true;
    process.removeListener('exit', this.#atExit);
    for (const child of this.#running) killGroup(child);
    for (const take of this.#waiting) take();
    this.#waiting.clear();
  }

  readonly #atExit = (): void => this.stop();

  /** Whether there is one. */
  #place(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || this.#stopped) return Promise.resolve(false);
    if (this.#places > 0) {
      this.#places--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const leave = (): void => {
        this.#waiting.delete(take);
        resolve(false);
      };
      const take = (): void => {
        signal.removeEventListener('abort', leave);
        resolve(!this.#stopped);
      };
      this.#waiting.add(take);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** One start for each turn of the loop: it holds this thread until the program has begun. */
  #turn(): Promise<void> {
    return (this.#starts = this.#starts.then(yieldToLoop));
  }

  /** The place goes from hand to hand while anyone waits. */
  #release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#places++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  async #locate(path: string): Promise<[path: string, folder: string]> {
    const { folder, pluginsDir } = this.#options;
    const [program, plugins] = await Promise.all([realpath(resolve(folder, path)), realpath(pluginsDir)]);
    if (!program.startsWith(plugins.endsWith(sep) ? plugins : plugins + sep)) throw new OutsideError('it lies outside the folder of --plugins');
    return [program, plugins];
  }

  /** Throws if there is nothing to wait for; else it gives the place back itself. */
  #start(path: string, cwd: string, { command, environment, signal }: ProgramOrder, resolve: (end: ProgramEnd) => void): void {
    if (signal.aborted || this.#stopped) return this.#release();
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    // `detached` makes it the leader of a group of its own.
    const child: ChildProcess = spawn(path, command.slice(1), { cwd, env: { ...environment }, detached: true, stdio: (this.#stdio ??= stdioOptions()), shell: false });
    const kill = (): void => killGroup(child);
    const output = new Output(child, () => {
      kill();
      resolve({ kind: 'wrote-too-much' });
    });
    const over = (): void => {
      signal.removeEventListener('abort', kill);
      this.#running.delete(child);
      this.#release();
    };
    this.#running.add(child);
    signal.addEventListener('abort', kill, { once: true });
    child.on('error', (error) => {
      if (child.pid !== undefined) return;
      over();
      output.drop();
      resolve(notStarted(error));
    });
    child.once('exit', (code, bySignal) => {
      // What it left running behind itself goes too.
      kill();
      over();
      const ranMs = clock.monotonicMs() - startMs;
      const grace = clock.after(OUTPUT_GRACE_MS, () => output.drop());
      child.once('close', () => {
        grace.cancel();
        resolve({ kind: 'exit', code, signal: bySignal, line: output.firstLine(), ranMs });
      });
    });
  }
}

/** Nothing to read, two pipes, and nothing where something would be inherited. */
function stdioOptions(): StdioOptions {
  const inherited = inheritedDescriptors();
  const stdio: ('ignore' | 'pipe' | number)[] = ['ignore', 'pipe', 'pipe'];
  if (inherited.length === 0) return stdio;
  const nothing = openSync('/dev/null', 'r');
  for (let at = stdio.length; at <= inherited.at(-1)!; at++) stdio.push(inherited.includes(at) ? nothing : 'ignore');
  return stdio;
}

class OutsideError extends Error {}

function notStarted(error: unknown): ProgramEnd {
  if (error instanceof OutsideError) return { kind: 'not-started', reason: error.message, ours: false };
  const code = errorCodeOf(error);
  const [reason, ours] = START_FAILURES[code] ?? [code === '' ? String(error) : code, false];
  return { kind: 'not-started', reason, ours };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is empty, which is what was wanted; or it became another user's, and is out of reach.
  }
}

/** What a program writes: a little of it is kept, all of it is read, so that it does not wait for a reader. */
class Output {
  readonly #streams: readonly Readable[];
  readonly #kept: Buffer[] = [];
  #bytes = 0;

  constructor({ stdout, stderr }: ChildProcess, tooMuch: () => void) {
    // Out of descriptors, the runtime makes no streams at all.
    this.#streams = [stderr, stdout].filter((stream) => stream !== null && stream !== undefined);
    for (const [index, stream] of this.#streams.entries()) {
      this.#kept.push(Buffer.alloc(0));
      stream.on('error', () => undefined);
      stream.on('data', (bytes: Buffer) => {
        this.#bytes += bytes.length;
        const kept = this.#kept[index]!;
        if (kept.length < KEPT_BYTES_MAX) this.#kept[index] = Buffer.concat([kept, bytes.subarray(0, KEPT_BYTES_MAX - kept.length)]);
        if (this.#bytes <= OUTPUT_BYTES_MAX) return;
        this.drop();
        tooMuch();
      });
    }
  }

  drop(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  /** Of its errors, if it wrote any. */
  firstLine(): string {
    const lines = this.#kept.flatMap((kept) => kept.toString('utf8').split('\n'));
    return lines.map((line) => line.trim()).find((line) => line !== '') ?? '';
  }
}
