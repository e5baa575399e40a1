/** What a connect that failed means to a probe, of whatever type. */
import { dialFailure, dialFailureText } from '../../net/dial.ts';
import type { ProbeResult } from './probe.ts';

export function connectFailure(error: unknown): ProbeResult {
  const reason = dialFailureText(error);
  return dialFailure(error) === 'ours' ? { ok: false, reason, unreached: true, ours: true } : { ok: false, reason, unreached: true };
}
