/**
 * What signals mean to a running proxy. TERM stops it gently, INT without
 * waiting for what stands in front; a second one of either ends the process at
 * once, with 128 + its number as shells do. HUP reads the config again.
 */
import { constants } from 'node:os';
import type { Clock } from '../../base/clock.ts';

/**
 * Ctrl-C under npm comes twice: from the terminal to the whole group, and from
 * npm, which passes on its own. The same signal so soon is no second thought.
 */
const ECHO_MS = 250;

export interface SignalActions {
  /** The first TERM or INT. */
  stop(signal: 'SIGTERM' | 'SIGINT'): void;
  /** The second; does not return. */
  exitNow(code: number): void;
  reload(): void;
}

/** Listens from now on; returns what ends that. */
export function onSignals(actions: SignalActions, clock: Clock): () => void {
  let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    if (first !== null) {
      const isEcho = signal === first.signal && clock.monotonicMs() - first.atMs < ECHO_MS;
      return isEcho ? undefined : actions.exitNow(128 + constants.signals[signal]);
    }
    first = { signal, atMs: clock.monotonicMs() };
    actions.stop(signal as 'SIGTERM' | 'SIGINT');
  };
  const reload = (): void => actions.reload();
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  return () => void process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
}
