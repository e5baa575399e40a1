/**
 * What no single key can tell: names that must exist, addresses that must
 * differ, routes that nothing reaches. Runs even on a config with errors, on
 * what is left of it, so that an operator sees everything at once.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { AddressSet } from '../net/address.ts';
import type { BindSpec } from '../shared/snapshot.ts';
import type { Loose } from './check-schema.ts';
import { nearest } from './nearest.ts';
import type { ProblemHints, ProblemList } from './problems.ts';
import { RouteCover } from './route-cover.ts';
import { shownValue, Trail } from './schema-problems.ts';
import type { Config } from './schema/config.ts';
import { isModulePath } from './schema/algorithm.ts';
import { nodeAt, type MapEntry, type MapNode, type YamlNode, type YamlPath } from './yaml-tree.ts';

export interface CrossCheckOptions {
  /** Folder of the config file: relative paths start there. */
  readonly folder: string;
  /** Folder that modules named by the config may load from; null: none may. */
  readonly pluginsDir: string | null;
  /** Named by a flag: without, a config of a tier with a store may name no code. */
  readonly pluginsGiven: boolean;
  /** How many files this process may have open; null: not known. */
  readonly descriptorsMax: number | null;
  /** Given by a flag in place of the file's `admin.bind`; null: none. */
  readonly adminBind: BindSpec | null;
  /** Given by a flag in place of the file's `tier.store`; null: none. */
  readonly store: string | null;
}

/** The nearest name is sought in all of them, so only for as many problems as anyone reads. */
const SUGGESTIONS_MAX = 20;
/** What a problem is about: the value, which it shows, or the key and all below it. */
type About = 'value' | 'key';
const VALUE: About = 'value';
const KEY: About = 'key';

/** Timers of connections are swept this often. */
export const TIMEOUT_STEP_MS = 100;

const loopback = new AddressSet(['127.0.0.0/8', '::1/128']);

type Listener = Loose<Config['listeners'][string]>;
/** Asked of only where nothing is missing. */
type Match = Parameters<RouteCover['add']>[1];
type Pool = Loose<Config['pools'][string]>;

export function crossCheck(config: Loose<Config>, tree: MapNode, problems: ProblemList, options: CrossCheckOptions): void {
  new CrossCheck(config, tree, problems, options).run();
}

class CrossCheck {
  readonly #config: Loose<Config>;
  readonly #tree: MapNode;
  readonly #problems: ProblemList;
  readonly #options: CrossCheckOptions;
  readonly #listeners: readonly (readonly [string, Listener])[];
  readonly #pools: ReadonlyMap<string, Pool | undefined>;
  readonly #usedPools = new Set<string>();
  /** Nothing is missing in what is looked at, so that "never" and "nothing" can be said of it. */
  readonly #isWhole: boolean;
  #missingPools = 0;

  constructor(config: Loose<Config>, tree: MapNode, problems: ProblemList, options: CrossCheckOptions) {
    this.#config = config;
    this.#tree = tree;
    this.#problems = problems;
    this.#options = options;
    this.#isWhole = !problems.hasErrors;
    this.#listeners = Object.entries(config.listeners ?? {}).filter((entry): entry is [string, Listener] => entry[1] !== undefined);
    this.#pools = new Map(Object.entries(config.pools ?? {}));
  }

  run(): void {
    if (this.#tree.entries.get('listeners') === undefined) this.#problems.warning(this.#tree.at, 'no listeners: nothing is served');
    for (const [name, listener] of this.#listeners) this.#listener(name, listener);
    for (const [name, pool] of this.#pools) if (pool !== undefined) this.#pool(name, pool);
    this.#binds();
    this.#descriptors();
    this.#adminToken();
    this.#tierName();
    const probers = this.#config.tier?.probers;
    if (probers !== undefined && probers % 2 === 0) this.#warn(['tier', 'probers'], `is even: as many members must agree as with ${probers + 1}, and one less may fail`, VALUE, { expected: 'an odd number' });
  }

  get #store(): string {
    return this.#options.store ?? this.#config.tier?.store ?? 'none';
  }

  #listener(name: string, listener: Listener): void {
    const at = ['listeners', name];
    this.#timeouts(listener.timeouts, () => [...at, 'timeouts']);
    if (listener.pool !== undefined) this.#poolExists(listener.pool, () => [...at, 'pool']);
    const routes = listener.routes ?? [];
    if (this.#isWhole && routes.length === 0 && listener.pool === undefined) this.#warn(at, 'has neither routes nor a pool: every request is answered with 404', KEY);
    const cover = new RouteCover();
    const names = new Map<string, number>();
    for (const [index, route] of routes.entries()) {
      if (route === undefined) continue;
      const routeAt = (...below: string[]): YamlPath => [...at, 'routes', index, ...below];
      if (route.pool !== undefined) this.#poolExists(route.pool, () => routeAt('pool'));
      this.#timeouts(route.timeouts, () => routeAt('timeouts'));
      if (route.name !== undefined) {
        const same = names.get(route.name);
        if (same === undefined) names.set(route.name, index);
        else this.#fail(routeAt('name'), `is the name of routes[${same}] too`, { expected: 'a name that no other route of the listener has' });
      }
      if (this.#isWhole) this.#reachable(routeAt, cover.add(index, route.match as Match), 'this route');
    }
    if (this.#isWhole && listener.pool !== undefined) this.#reachable(() => [...at, 'pool'], cover.add(routes.length, {}), 'this pool');
  }

  #reachable(at: () => YamlPath, earlier: number, what: string): void {
    if (earlier !== -1) this.#warn(at(), `${what} is never reached: routes[${earlier}] takes all of its requests`, KEY);
  }

  #poolExists(name: string, at: () => YamlPath): void {
    this.#usedPools.add(name);
    if (this.#pools.has(name)) return;
    const suggestion = this.#missingPools++ < SUGGESTIONS_MAX ? nearest(name, this.#pools.keys()) : null;
    this.#fail(at(), 'is not a pool of this config', { expected: 'the name of a pool', suggestion: suggestion ?? undefined });
  }

  #pool(name: string, pool: Pool): void {
    const at = ['pools', name];
    if (this.#isWhole && this.#missingPools === 0 && !this.#usedPools.has(name)) this.#warn(at, 'no route leads to this pool', KEY);
    if (pool.backends?.length === 0) this.#warn([...at, 'backends'], 'is empty: every request of this pool is answered with 503', VALUE);
    const seen = new Map<string, number>();
    for (const [index, backend] of (pool.backends ?? []).entries()) {
      if (backend?.address === undefined) continue;
      const { host, port } = backend.address;
      const key = `${host} ${port}`;
      const same = seen.get(key);
      if (same === undefined) seen.set(key, index);
      else this.#fail([...at, 'backends', index, 'address'], `is the address of backends[${same}] too`, { expected: 'each address once' });
    }
    const { connectTimeout, idle } = pool.connections ?? {};
    this.#timeouts({ connectTimeout, idle }, () => [...at, 'connections']);
    const algorithm = pool.algorithm?.name;
    if (algorithm !== undefined && isModulePath(algorithm)) this.#module([...at, 'algorithm'], algorithm);
  }

  #module(at: YamlPath, path: string): void {
    const { folder, pluginsGiven } = this.#options;
    const pluginsDir = pluginsGiven || this.#store === 'none' ? this.#options.pluginsDir : null;
    const file = resolve(folder, path);
    const below = pluginsDir === null ? null : relative(resolve(pluginsDir), file);
    if (below === null || below.startsWith('..') || isAbsolute(below)) this.#fail([...at, 'name'], 'lies outside the folder that code may load from', { expected: this.#store === 'none' ? "a file below the folder of --plugins, else below the config's own" : 'a file below the folder of --plugins, which must be given when there is a store' });
    else if (!existsSync(file)) this.#fail([...at, 'name'], 'names no file', { expected: "a path that starts at the config's folder" });
  }

  #timeouts(timeouts: Readonly<Record<string, number | undefined>> | undefined, at: () => YamlPath): void {
    for (const key in timeouts) {
      const ms = timeouts[key] ?? 0;
      if (ms % TIMEOUT_STEP_MS !== 0) this.#warn([...at(), key], `is taken as ${Math.ceil(ms / TIMEOUT_STEP_MS) * TIMEOUT_STEP_MS}ms`, VALUE, { expected: 'a multiple of 100ms' });
    }
  }

  /** Two binds of one port overlap if one is a wildcard for the other's family, or both are the same address. */
  #binds(): void {
    const byPort = new Map<number, { readonly bind: BindSpec; readonly owner: string }[]>();
    const claim = (bind: BindSpec, owner: string, at: YamlPath | null): void => {
      if (bind.port === 0) return;
      const others = byPort.get(bind.port) ?? [];
      byPort.set(bind.port, others);
      const other = others.find((candidate) => overlap(candidate.bind, bind));
      if (other === undefined) others.push({ bind, owner });
      else if (at === null) this.#problems.error(0, `--admin ${bind.text} overlaps with ${other.bind.text} of ${other.owner}`);
      else this.#fail(at, `overlaps with \`${other.bind.text}\` of ${other.owner}`, { expected: 'an address and port that nothing else here listens on' });
    };
    for (const [name, listener] of this.#listeners) {
      for (const [index, bind] of (listener.bind ?? []).entries()) if (bind !== undefined) claim(bind as BindSpec, `listener ${name}`, ['listeners', name, 'bind', index]);
    }
    const { adminBind } = this.#options;
    const admin = adminBind ?? (this.#config.admin?.bind as BindSpec | undefined);
    if (admin !== undefined) claim(admin, 'admin', adminBind === null ? ['admin', 'bind'] : null);
  }

  #descriptors(): void {
    const { descriptorsMax } = this.#options;
    if (descriptorsMax === null) return;
    const limits = this.#listeners.map(([, listener]) => listener.limits?.connections ?? 0);
    const sum = limits.reduce((total, limit) => total + limit, 0);
    if (sum <= descriptorsMax) return;
    const [name] = this.#listeners[limits.indexOf(Math.max(...limits))]!;
    this.#warn(['listeners', name, 'limits', 'connections'], `the listeners may have ${sum} connections, and this process ${descriptorsMax} open files`, KEY, { expected: 'fewer connections, or a higher limit of open files (ulimit -n, LimitNOFILE=)' });
  }

  #adminToken(): void {
    const admin = this.#config.admin;
    const bind = this.#options.adminBind ?? (admin?.bind as BindSpec | undefined);
    if (bind === undefined || admin?.token !== 'none') return;
    if (bind.host !== null && loopback.has(bind.host)) return;
    const message = 'is not a loopback address, and there is no token';
    const hints = { expected: 'admin.token, such as file:admin.token, or an address in 127.0.0.0/8' };
    if (this.#options.adminBind === null) this.#fail(['admin', 'bind'], message, hints);
    else this.#problems.error(nodeAt(this.#tree, ['admin']).at, `--admin ${bind.text} ${message}`, hints);
  }

  /** Two tiers that both go by the default name would take each other's members and config for their own. */
  #tierName(): void {
    if (this.#store === 'none') return;
    const written = nodeAt(this.#tree, ['tier']);
    if (written.kind === 'map' && written.entries.get('name') !== undefined) return;
    const { at } = nodeAt(this.#tree, ['tier', 'store']);
    this.#problems.error(at, 'tier.name is not set, and there is a store', { expected: 'a name that no other tier in this store has' });
  }

  #fail(at: YamlPath, message: string, hints: ProblemHints = {}): void {
    const { offset, text } = this.#place(at, message, VALUE);
    this.#problems.error(offset, text, hints);
  }

  #warn(at: YamlPath, message: string, about: About, hints: ProblemHints = {}): void {
    const { offset, text } = this.#place(at, message, about);
    this.#problems.warning(offset, text, hints);
  }

  /** Where the problem stands, and its text. A short form is named by what was written: `backends[2]`, not its address. */
  #place(at: YamlPath, message: string, about: About): { offset: number; text: string } {
    let node: YamlNode = this.#tree;
    let offset = node.at;
    let trail = Trail.top;
    for (const step of at) {
      const entry: MapEntry | undefined = node.kind === 'map' ? node.entries.get(String(step)) : undefined;
      const next: YamlNode | undefined = entry?.value ?? (node.kind === 'list' ? node.items[Number(step)] : undefined);
      if (next === undefined) break;
      node = next;
      offset = about === KEY ? (entry?.keyAt ?? node.at) : node.at;
      trail = new Trail(trail, step);
    }
    const shown = about === VALUE && node.kind === 'scalar' ? `${shownValue(node)} ` : '';
    return { offset, text: `${trail.text()}${shown}${message}` };
  }
}

function overlap(one: BindSpec, other: BindSpec): boolean {
  if (one.host === null || other.host === null || one.host === other.host) return true;
  const sameFamily = one.host.includes(':') === other.host.includes(':');
  return sameFamily && [one.host, other.host].some((address) => address === '0.0.0.0' || address === '::');
}
