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

/** Http listeners bound to the URL's port; all, if none is (a port may be mapped on the way) or the URL names none. */
export function explainRequest(snapshot: Snapshot, asked: AskedRequest): Explanation {
  const { method, path, query, hostAsSent, peer, port } = asked;
  const speaking = snapshot.listeners.filter(({ protocol }) => protocol === 'http');
  const bound = speaking.filter((listener) => port === null || listener.binds.some((bind) => bind.port === port));
  const listeners = bound.length > 0 ? bound : speaking;
  return {
    request: { method, target: query === '' ? path : `${path}?${query}`, host: hostAsSent, from: peer },
    note: bound.length > 0 ? null : noteOf(snapshot, port),
    listeners: listeners.map((listener) => explainListener(snapshot, listener, asked)),
  };
}

/** No http listener is at the port that was asked about. */
function noteOf({ listeners }: Snapshot, port: number | null): string {
  const other = listeners.find(({ binds }) => port === null || binds.some((bind) => bind.port === port));
  if (other === undefined) return `no listener is bound to port ${port}: this is what each would do`;
  const speaks = `listener ${other.name} speaks ${other.protocol}, and its connections are not explained`;
  return listeners.some(({ protocol }) => protocol === 'http') ? `${speaks}: this is what each http listener would do` : `${speaks}; there is no http listener`;
}
