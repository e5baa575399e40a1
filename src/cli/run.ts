/**
 * `weir run FILE`: a proxy from its start to its end. Resolves to the exit
 * code: 0 it came to its end, 1 it could not start, 2 wrong usage. Only a
 * second TERM or INT ends the process from within (143, 130).
 */
import { systemClock } from '../base/clock.ts';
import { ProcessLog } from '../observe/log.ts';
import { ProxyProcess } from './run/proxy-process.ts';
import { resolveRunOptions, UsageError, type RunFlags, type RunOptions } from './run/run-options.ts';
import { onSignals } from './run/signals.ts';
import { StartError } from './run/start-error.ts';
import { openStateDir, type StateDir } from './run/state-dir.ts';
import { clockOr } from './run/test-hooks.ts';
import { version } from './version.ts';

export async function runCommand(file: string, flags: RunFlags): Promise<number> {
  let stateDir: StateDir | null = null;
  try {
    const options = resolveRunOptions(file, flags, process.env);
    stateDir = await openStateDir(options.stateDir);
    await runProxy(options);
    return 0;
  } catch (error) {
    if (!(error instanceof StartError || error instanceof UsageError)) throw error;
    process.stderr.write(`weir: ${error.message.trimEnd()}\n`);
    return error instanceof UsageError ? 2 : 1;
  } finally {
    await stateDir?.release();
  }
}

async function runProxy(options: RunOptions): Promise<void> {
  const log = new ProcessLog({ level: 'info', format: process.stderr.isTTY ? 'text' : 'json', wallMs: () => systemClock.wallMs() });
  const proxy = new ProxyProcess(options, clockOr(systemClock), log);
  const ended = Promise.withResolvers<void>();
  const endSignals = onSignals({
    stop: (signal) => void proxy.stop(signal, signal === 'SIGINT').then(ended.resolve, ended.reject),
    exitNow: (code) => {
      log.warn('second signal: exit at once');
      log.flush();
      process.exit(code);
    },
    reload: () => proxy.hangUp(),
  }, systemClock);
  try {
    log.info('weir starts', { version, node: options.node, workers: options.workers, pid: process.pid, file: options.file });
    await Promise.race([proxy.start(), ended.promise]);
    await ended.promise;
    await proxy.close();
    log.info('ended');
  } finally {
    await proxy.close();
    endSignals();
    log.flush();
  }
}
