/**
 * Runs before the tests: some of them start Redis of their own, so
 * `redis-server` must be there. As root on a machine with a package manager we
 * know, it is installed; otherwise this says what to do, and the tests that
 * need it fail with the same sentence. Nothing is started here.
 */
import { spawnSync } from 'node:child_process';

interface PackageManager {
  readonly command: string;
  readonly install: readonly (readonly string[])[];
  /** Refuses to run as root, or needs no root. */
  readonly asUser: boolean;
}

const managers: readonly PackageManager[] = [
  { command: 'apt-get', install: [['update', '-qq'], ['install', '-y', '-qq', '--no-install-recommends', 'redis-server']], asUser: false },
  { command: 'dnf', install: [['install', '-y', '-q', 'redis']], asUser: false },
  { command: 'apk', install: [['add', '--quiet', 'redis']], asUser: false },
  { command: 'brew', install: [['install', '--quiet', 'redis']], asUser: true },
];

export const REDIS_ADVICE = 'redis-server is not installed: install it (Debian, Ubuntu: apt-get install redis-server) and run the tests again';

export function hasRedis(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

function installRedis(): void {
  const isRoot = process.getuid?.() === 0;
  const manager = managers.find(({ command, asUser }) => asUser !== isRoot && spawnSync(command, ['--version']).status === 0);
  if (manager === undefined) {
    console.error(REDIS_ADVICE);
    return;
  }
  console.log(`redis-server is not installed; installing it with ${manager.command}, for the tests that start one`);
  // Debian starts what it installs; the exit code of a policy script keeps it from doing so, but needs a file: RUNLEVEL does too.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  for (const args of manager.install) spawnSync(manager.command, args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  console.log(hasRedis() ? 'redis-server is installed' : REDIS_ADVICE);
}

if (import.meta.main && !hasRedis()) installRedis();
