/** The answer of `weir explain`, as `--json` prints it: which listeners apply, and what each does with the request. */
import type { Snapshot } from '../../shared/snapshot.ts';
import { explainListener, type ListenerExplanation } from './explain-listener.ts';
import type { AskedRequest } from './explain-request.ts';

export interface Explanation {
  readonly request: { readonly method: string; readonly target: string; readonly host: string; readonly from: string };
  /** Why these listeners, where that is not plain; null otherwise. */
  readonly note: string | null;
  readonly listeners: readonly ListenerExplanation[];
}

/** Listeners bound to the URL's port; all, if none is (a port may be mapped on the way) or the URL names none. */
export function explainRequest(snapshot: Snapshot, asked: AskedRequest): Explanation {
  const { method, path, query, hostAsSent, peer, port } = asked;
  const bound = snapshot.listeners.filter((listener) => port === null || listener.binds.some((bind) => bind.port === port));
  const listeners = bound.length > 0 ? bound : snapshot.listeners;
  return {
    request: { method, target: query === '' ? path : `${path}?${query}`, host: hostAsSent, from: peer },
    note: bound.length > 0 ? null : `no listener is bound to port ${port}: this is what each would do`,
    listeners: listeners.map((listener) => explainListener(snapshot, listener, asked)),
  };
}
