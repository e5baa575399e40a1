/**
 * What signals mean to a running proxy. TERM stops it gently, INT without
 * waiting for what stands in front; a second one of either ends the process at
 * once, with 128 + its number as shells do. HUP reads the config again.
 */
import { constants } from 'node:os';

export interface SignalActions {
  /** The first TERM or INT. */
  stop(signal: 'SIGTERM' | 'SIGINT'): void;
  /** The second; does not return. */
  exitNow(code: number): void;
  reload(): void;
}

/** Listens from now on; returns what ends that. */
export function onSignals(actions: SignalActions): () => void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return actions.exitNow(128 + constants.signals[signal]);
    stopping = true;
    actions.stop(signal as 'SIGTERM' | 'SIGINT');
  };
  const reload = (): void => actions.reload();
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  return () => void process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
}
