/**
 * A snapshot as bytes in shared memory, one JSON record a line, so that every
 * thread reads the same copy and can decode 20,000 records a few hundred at a
 * time without standing still (a structured clone of that size cannot be
 * interrupted).
 */
import { yieldToLoop } from '../base/clock.ts';
import type { BackendSpec, ListenerSpec, PoolSpec, RouteSpec, Snapshot } from './snapshot.ts';

/** Records decoded between two turns of the loop: about 2 ms. */
const RECORDS_PER_TURN = 500;

type Record_ =
  | ['head', Omit<Snapshot, 'listeners' | 'pools'>]
  | ['listener', Omit<ListenerSpec, 'routes'>]
  | ['route', RouteSpec]
  | ['pool', Omit<PoolSpec, 'backends'>]
  | ['backend', BackendSpec];

export function encodeSnapshot(snapshot: Snapshot): SharedArrayBuffer {
  const lines: string[] = [];
  const put = (record: Record_): void => void lines.push(JSON.stringify(record));
  const { listeners, pools, ...head } = snapshot;
  put(['head', head]);
  for (const { routes, ...listener } of listeners) {
    put(['listener', listener]);
    for (const route of routes) put(['route', route]);
  }
  for (const { backends, ...pool } of pools) {
    put(['pool', pool]);
    for (const backend of backends) put(['backend', backend]);
  }
  const bytes = Buffer.from(lines.join('\n'), 'utf8');
  const shared = new SharedArrayBuffer(bytes.length);
  bytes.copy(Buffer.from(shared));
  return shared;
}

/** Decodes in slices; resolves after as many turns of the loop as the size needs. */
export async function decodeSnapshot(shared: SharedArrayBuffer): Promise<Snapshot> {
  const bytes = Buffer.from(shared);
  const listeners: (Omit<ListenerSpec, 'routes'> & { routes: RouteSpec[] })[] = [];
  const pools: (Omit<PoolSpec, 'backends'> & { backends: BackendSpec[] })[] = [];
  let head: Omit<Snapshot, 'listeners' | 'pools'> | undefined;
  let start = 0;
  for (let count = 1; start < bytes.length; count++) {
    let end = bytes.indexOf(10, start);
    if (end === -1) end = bytes.length;
    const [kind, value] = JSON.parse(bytes.toString('utf8', start, end)) as Record_;
    if (kind === 'head') head = value;
    else if (kind === 'listener') listeners.push({ ...value, routes: [] });
    else if (kind === 'route') listeners.at(-1)!.routes.push(value);
    else if (kind === 'pool') pools.push({ ...value, backends: [] });
    else pools.at(-1)!.backends.push(value);
    start = end + 1;
    if (count % RECORDS_PER_TURN === 0) await yieldToLoop();
  }
  if (head === undefined) throw new Error('a snapshot without head');
  return { ...head, listeners, pools };
}
