/**
 * A real database of a test's own, in a temporary folder and on a free port of
 * the loopback. Databases refuse to run as root, so for root it runs as nobody.
 * Ends with `stop`, and with the test's process at the latest. What it is made
 * with and how it is spoken to is a subclass's.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const TRIES = 3;

export interface DatabaseKind {
  /** For messages and the folder. */
  readonly name: string;
  /** Ends it as a crash does, but lets go of what a SIGKILL would leave behind on this machine. */
  readonly crash: 'SIGKILL' | 'SIGQUIT';
  /** A line of its log that says so. */
  readonly ready: RegExp;
}

const running = new Map<ChildProcess, NodeJS.Signals>();
process.on('exit', () => running.forEach((signal, child) => child.kill(signal)));

/** As nobody, if this is root; it ends when we do. */
export function asNobody({ crash }: DatabaseKind, path: string, args: readonly string[]): [string, string[]] {
  return isRoot ? ['setpriv', [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', `--pdeathsig=${crash.slice(3)}`, path, ...args]] : [path, [...args]];
}

export function giveToNobody(path: string): void {
  if (isRoot) chownSync(path, NOBODY, NOBODY);
}

export abstract class DatabaseServer {
  readonly folder: string;
  /** Everything it logged. */
  readonly log: string[] = [];
  port = 0;
  readonly #kind: DatabaseKind;
  #child: ChildProcess | null = null;

  protected constructor(kind: DatabaseKind) {
    this.#kind = kind;
    this.folder = mkdtempSync(join(tmpdir(), `weir-${kind.name.toLowerCase()}-`));
    giveToNobody(this.folder);
  }

  protected get files(): string {
    return join(this.folder, 'files');
  }

  /** Program and arguments, for `this.port`. */
  protected abstract command(): [string, string[]];

  /** Resolves once it says that it is ready. One that was here before comes back at its port. */
  protected async boot(): Promise<void> {
    const isNew = this.port === 0;
    for (let tries = 1; ; tries++) {
      if (isNew) this.port = await freePort();
      const failure = await this.#tryStart();
      if (failure === null) return;
      // Another process may have taken the port in between.
      if (tries === TRIES || !isNew) throw new Error(`${this.#kind.name} does not start: ${failure}`);
    }
  }

  #tryStart(): Promise<string | null> {
    const child = spawn(...this.command(), { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    this.#child = child;
    running.set(child, this.#kind.crash);
    return new Promise((resolve) => {
      child.once('exit', () => {
        running.delete(child);
        resolve(this.log.slice(-5).join(' | '));
      });
      createInterface({ input: child.stderr }).on('line', (line) => {
        this.log.push(line);
        if (this.#kind.ready.test(line)) resolve(null);
      });
    });
  }

  /** At once, as a crash. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(this.#kind.crash);
    await once(child, 'exit');
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
