/** Where a result was measured: without it no figure means anything. */
import { spawnSync } from 'node:child_process';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly runtime: string;
  readonly pinned: boolean;
  /** Load average over one minute when the bench began: above 1, others were at work. */
  readonly loadAtStart: number;
  readonly when: string;
}

export function describeMachine(pinned: boolean): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    runtime: `Node ${process.versions.node}`,
    pinned,
    loadAtStart: loadavg()[0] ?? 0,
    when: new Date().toISOString(),
  };
}

/** First line a program says about its version. */
export function versionOf(program: string, ...args: readonly string[]): string {
  const said = spawnSync(program, args, { encoding: 'utf8' });
  return `${said.stdout}${said.stderr}`.trim().split('\n', 1)[0] ?? '';
}
