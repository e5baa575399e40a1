/**
 * A snapshot as bytes in shared memory, one JSON record a line, so that every
 * thread reads the same copy and can decode 20,000 routes and backends a line
 * at a time without standing still (a structured clone of that size cannot be
 * interrupted).
 *
 * Routes and backends hardly differ but in a few keys. What they share is
 * written once, as a template, and is one object in the decoded snapshot too:
 * 10,000 of each are 1.0 MB instead of 5.2, and cost each thread a quarter of
 * the time and of the memory.
 */
import { yieldToLoop } from '../base/clock.ts';
import type { ActionSpec, BackendSpec, HostPattern, ListenerSpec, PathPattern, PoolSpec, RouteSpec, Snapshot } from './snapshot.ts';

/** Routes or backends in a line; a line, less than a millisecond, is decoded between two turns of the loop. */
const PARTS_PER_LINE = 500;

type Head = Omit<Snapshot, 'listeners' | 'pools'>;

/** A text stands for one pattern of the usual kind: exact for a host, prefix for a path. */
type PackedRoute = [name: string, host: string | readonly HostPattern[] | null, path: string | readonly PathPattern[] | null, action: number, template: number];
/** A text stands for `[text, template]` where the address is host and port: the usual backend. */
type PackedBackend = [address: string, template: number] | [address: string, template: number, host: string, port: number];

type Line =
  | ['head', Head]
  | ['listener', Omit<ListenerSpec, 'routes'>]
  | ['pool', Omit<PoolSpec, 'backends'>]
  /** What the lines after it refer to by number, each kind counted from 0. */
  | ['action', ActionSpec]
  | ['route-template', RouteSpec]
  | ['backend-template', BackendSpec]
  /** Of the listener, of the pool before it. */
  | ['routes', readonly PackedRoute[]]
  | ['backends', readonly PackedBackend[]];

export function encodeSnapshot(snapshot: Snapshot): SharedArrayBuffer {
  const { listeners, pools, ...head } = snapshot;
  const encoder = new Encoder();
  encoder.put(['head', head]);
  for (const { routes, ...listener } of listeners) {
    encoder.put(['listener', listener]);
    for (let at = 0; at < routes.length; at += PARTS_PER_LINE) {
      const packed = routes.slice(at, at + PARTS_PER_LINE).map((route) => encoder.route(route));
      encoder.put(['routes', packed]);
    }
  }
  for (const { backends, ...pool } of pools) {
    encoder.put(['pool', pool]);
    for (let at = 0; at < backends.length; at += PARTS_PER_LINE) {
      const packed = backends.slice(at, at + PARTS_PER_LINE).map((backend) => encoder.backend(backend));
      encoder.put(['backends', packed]);
    }
  }
  return encoder.bytes();
}

class Encoder {
  readonly #lines: string[] = [];
  /** Number of each action and template by its text. */
  readonly #numbers = { action: new Map<string, number>(), 'route-template': new Map<string, number>(), 'backend-template': new Map<string, number>() };

  put(line: Line): void {
    this.#lines.push(JSON.stringify(line));
  }

  route(route: RouteSpec): PackedRoute {
    const { name, match, action } = route;
    const template: RouteSpec = { ...route, name: '', match: { ...match, host: null, path: null }, action: NO_ACTION };
    return [name, packed(match.host, 'exact'), packed(match.path, 'prefix'), this.#number('action', action), this.#number('route-template', template)];
  }

  backend(backend: BackendSpec): PackedBackend {
    const { address, host, port } = backend;
    const template = this.#number('backend-template', { ...backend, address: '', host: '', port: 0 });
    return address === `${host}:${port}` ? [address, template] : [address, template, host, port];
  }

  bytes(): SharedArrayBuffer {
    const bytes = Buffer.from(this.#lines.join('\n'), 'utf8');
    const shared = new SharedArrayBuffer(bytes.length);
    bytes.copy(Buffer.from(shared));
    return shared;
  }

  #number(kind: 'action' | 'route-template' | 'backend-template', value: ActionSpec | RouteSpec | BackendSpec): number {
    const numbers = this.#numbers[kind];
    const text = JSON.stringify(value);
    const known = numbers.get(text);
    if (known !== undefined) return known;
    numbers.set(text, numbers.size);
    this.#lines.push(`["${kind}",${text}]`);
    return numbers.size - 1;
  }
}

const NO_ACTION: ActionSpec = { kind: 'pool', pool: '' };

function packed<Pattern extends HostPattern | PathPattern>(patterns: readonly Pattern[] | null, usual: Pattern['kind']): string | readonly Pattern[] | null {
  return patterns?.length === 1 && patterns[0]!.kind === usual ? patterns[0]!.value : patterns;
}

/** Decodes a line a turn of the loop. */
export async function decodeSnapshot(shared: SharedArrayBuffer): Promise<Snapshot> {
  const bytes = Buffer.from(shared);
  const decoder = new Decoder();
  for (let start = 0; start < bytes.length; ) {
    let end = bytes.indexOf(10, start);
    if (end === -1) end = bytes.length;
    const isLong = decoder.take(JSON.parse(bytes.toString('utf8', start, end)) as Line);
    start = end + 1;
    if (isLong) await yieldToLoop();
  }
  return decoder.snapshot();
}

class Decoder {
  readonly #listeners: (Omit<ListenerSpec, 'routes'> & { routes: RouteSpec[] })[] = [];
  readonly #pools: (Omit<PoolSpec, 'backends'> & { backends: BackendSpec[] })[] = [];
  readonly #actions: ActionSpec[] = [];
  readonly #routeTemplates: RouteSpec[] = [];
  readonly #backendTemplates: BackendSpec[] = [];
  #head: Head | null = null;
  #parts = 0;

  /** True once enough was taken for one turn of the loop. */
  take(line: Line): boolean {
    switch (line[0]) {
      case 'head':
        this.#head = line[1];
        return false;
      case 'listener':
        this.#listeners.push({ ...line[1], routes: [] });
        return this.#took(1);
      case 'pool':
        this.#pools.push({ ...line[1], backends: [] });
        return this.#took(1);
      case 'action':
        this.#actions.push(line[1]);
        return this.#took(1);
      case 'route-template':
        this.#routeTemplates.push(line[1]);
        return this.#took(1);
      case 'backend-template':
        this.#backendTemplates.push(line[1]);
        return this.#took(1);
      case 'routes': {
        const { routes } = this.#listeners.at(-1)!;
        for (const route of line[1]) routes.push(this.#route(route));
        return this.#took(line[1].length);
      }
      case 'backends': {
        const { backends } = this.#pools.at(-1)!;
        for (const backend of line[1]) backends.push(this.#backend(backend));
        return this.#took(line[1].length);
      }
    }
  }

  snapshot(): Snapshot {
    if (this.#head === null) throw new Error('a snapshot without head');
    return { ...this.#head, listeners: this.#listeners, pools: this.#pools };
  }

  #took(parts: number): boolean {
    this.#parts += parts;
    if (this.#parts < PARTS_PER_LINE) return false;
    this.#parts = 0;
    return true;
  }

  #route([name, host, path, action, templateNumber]: PackedRoute): RouteSpec {
    const template = this.#routeTemplates[templateNumber]!;
    const match = {
      ...template.match,
      host: typeof host === 'string' ? [{ kind: 'exact' as const, value: host }] : host,
      path: typeof path === 'string' ? [{ kind: 'prefix' as const, value: path }] : path,
    };
    return { ...template, name, match, action: this.#actions[action]! };
  }

  #backend([address, templateNumber, host, port]: PackedBackend): BackendSpec {
    const template = this.#backendTemplates[templateNumber]!;
    if (host !== undefined) return { ...template, address, host, port: port! };
    const colon = address.lastIndexOf(':');
    return { ...template, address, host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  }
}
