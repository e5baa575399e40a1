/**
 * A real server of a test's own from a Debian package, on a free port of the
 * loopback, in the foreground and without set-up. Ends with `stop`, and with
 * the test's process at the latest. A test of one that is not installed skips,
 * and its name says which package it wants: `describe.skipIf(!hasProgram('memcached'))`.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './free-port.ts';

const TRIES = 5;
const POLL_MS = 10;
const UNTIL_WE_END = spawnSync('setpriv', ['--version']).status === 0 ? ['setpriv', '--pdeathsig', 'KILL'] : [];
const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

export class RealServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Resolves once it accepts TCP connections on its port. */
  static async start(command: string, argsFor: (port: number) => readonly string[]): Promise<RealServer> {
    for (let tries = 1; ; tries++) {
      const port = await freePort();
      const [program, ...args] = [...UNTIL_WE_END, command, ...argsFor(port)];
      const child = spawn(program!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      running.add(child);
      let said = '';
      child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2000)));
      let hasEnded = false;
      const end = (): void => {
        hasEnded = true;
        running.delete(child);
      };
      child.once('error', end).once('exit', end);
      while (!hasEnded && !(await accepts(port))) await pause(POLL_MS);
      if (!hasEnded) return new RealServer(port, child);
      // Another process may have taken the port in between.
      if (tries === TRIES) throw new Error(`${command} does not start: ${said}`);
    }
  }

  /** At once, as a crash. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.destroy() && resolve(true)).once('error', () => resolve(false));
  });
}
