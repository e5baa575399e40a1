/**
 * What no single key can tell: names that must exist, addresses that must
 * differ, routes that nothing reaches. Runs even on a config with errors, on
 * what is left of it, so that an operator sees everything at once.
 */
import { AddressSet } from '../net/address.ts';
import type { BindSpec } from '../shared/snapshot.ts';
import type { Loose } from './check-schema.ts';
import { moduleFault, programFault, type CodePlace } from './named-code.ts';
import { nearest } from './nearest.ts';
import type { ProblemHints, ProblemList } from './problems.ts';
import { RouteCover } from './route-cover.ts';
import { shownValue, Trail } from './schema-problems.ts';
import { sniRoutes } from './sni-routes.ts';
import type { Config } from './schema/config.ts';
import { isModulePath } from './schema/algorithm.ts';
import { checkListenerTls, checkPoolTls, type CertificateReport } from './tls-checks.ts';
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
  /** Wall time: what certificates are held to. */
  readonly nowMs: number;
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

/** What becomes of clients that no route takes. */
const UNROUTED = { http: 'every request is answered with 404', tcp: 'every connection is closed', udp: 'every datagram is dropped' } as const;

type Listener = Loose<Config['listeners'][string]>;
/** Asked of only where nothing is missing. */
type Match = Parameters<RouteCover['add']>[1];
type Pool = Loose<Config['pools'][string]>;
type Timeouts = Readonly<Record<string, number | undefined>> | undefined;

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
  /** The first udp listener that leads to each. */
  readonly #udpPools = new Map<string, string>();
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
    this.#trusted(listener, at);
    if ('tls' in listener && listener.tls !== undefined) checkListenerTls(listener.tls, [...at, 'tls'], this.#certificateReport);
    const use = (pool: string, place: () => YamlPath): void => {
      this.#poolExists(pool, place);
      if (listener.protocol === 'udp' && !this.#udpPools.has(pool)) this.#udpPools.set(pool, name);
    };
    if (listener.pool !== undefined) use(listener.pool, () => [...at, 'pool']);
    const routes = listener.routes ?? [];
    const bySni = sniRoutes(('sni' in listener ? listener.sni : undefined) ?? {});
    if (this.#isWhole && routes.length + bySni.length === 0 && listener.pool === undefined) this.#warn(at, `has neither routes nor a pool: ${UNROUTED[listener.protocol ?? 'http']}`, KEY);
    const cover = new RouteCover();
    const names = new Map<string, number>();
    for (const [index, route] of routes.entries()) {
      if (route === undefined) continue;
      const routeAt = (...below: string[]): YamlPath => [...at, 'routes', index, ...below];
      if (route.pool !== undefined) use(route.pool, () => routeAt('pool'));
      if ('timeouts' in route) this.#timeouts(route.timeouts as Timeouts, () => routeAt('timeouts'));
      if (route.name !== undefined) {
        const same = names.get(route.name);
        if (same === undefined) names.set(route.name, index);
        else this.#fail(routeAt('name'), `is the name of routes[${same}] too`, { expected: 'a name that no other route of the listener has' });
      }
      if (this.#isWhole) this.#reachable(routeAt, cover.add(index, route.match as Match), 'this route');
    }
    const sniNames: string[] = [];
    for (const { text, pattern, pool } of bySni) {
      const entryAt = (): YamlPath => [...at, 'sni', text];
      if (pool !== undefined) use(pool, entryAt);
      if (this.#isWhole) this.#reachable(entryAt, cover.add(routes.length + sniNames.length, { sni: [pattern] }), 'this name', routes.length, sniNames);
      sniNames.push(text);
    }
    if (this.#isWhole && listener.pool !== undefined) this.#reachable(() => [...at, 'pool'], cover.add(routes.length + sniNames.length, {}), 'this pool');
  }

  get #certificateReport(): CertificateReport {
    return {
      tree: this.#tree,
      nowMs: this.#options.nowMs,
      fail: (at, message, hints = {}) => this.#fail(at, message, hints, KEY),
      warn: (at, message, hints = {}) => this.#warn(at, message, KEY, hints),
    };
  }

  /** Without a sender that is trusted no header is ever read. */
  #trusted(listener: Listener, at: YamlPath): void {
    if (!('proxyProtocol' in listener) || listener.trustedProxies?.length !== 0) return;
    const hints = { expected: 'trustedProxies with the networks that send the header' };
    if (listener.proxyProtocol === 'require') this.#fail([...at, 'proxyProtocol'], 'asks for a header that is believed of nobody', hints);
    if (listener.proxyProtocol === 'accept') this.#warn([...at, 'proxyProtocol'], 'reads no header, since it is believed of nobody', VALUE, hints);
  }

  #reachable(at: () => YamlPath, earlier: number, what: string, routeCount = Number.POSITIVE_INFINITY, sniNames: readonly string[] = []): void {
    if (earlier === -1) return;
    const by = earlier < routeCount ? `routes[${earlier}]` : `sni ${JSON.stringify(sniNames[earlier - routeCount])}`;
    this.#warn(at(), `${what} is never reached: ${by} takes all of its requests`, KEY);
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
    this.#layer4(name, pool, at);
    if (pool.protocol === 'h2' || pool.protocol === 'h2c') this.#http2(pool, at);
    checkPoolTls(pool, at, this.#certificateReport);
    const algorithm = pool.algorithm?.name;
    if (algorithm !== undefined && isModulePath(algorithm)) this.#module([...at, 'algorithm'], algorithm);
    this.#programs(name, pool);
  }

  #layer4(name: string, pool: Pool, at: YamlPath): void {
    const udpListener = this.#udpPools.get(name);
    if (udpListener !== undefined && pool.proxyProtocol !== undefined && pool.proxyProtocol !== 'off') {
      this.#fail([...at, 'proxyProtocol'], `cannot be sent with the datagrams of listener ${udpListener}`, { expected: 'off, or another pool for the udp listener' });
    }
    if (udpListener !== undefined && pool.tls !== undefined) this.#fail([...at, 'tls'], `does not go with the datagrams of listener ${udpListener}`, { expected: 'another pool for the udp listener' });
    const hasRole = pool.health?.some((check) => check?.role !== undefined) === true;
    if (pool.fence === true && !hasRole && this.#isWhole) this.#fail([...at, 'fence'], 'stands in a pool without role: primary', { expected: 'a health check with role: primary, or no fence' });
    else if (pool.fence === true && this.#store === 'none') this.#warn([...at, 'fence'], 'stops nothing, since there is no store to be cut off from', VALUE, { expected: 'tier.store, or no fence' });
    const threshold = hasRole ? nodeAt(this.#tree, ['pools', name, 'panicThreshold']) : null;
    if (threshold?.kind === 'scalar' && pool.panicThreshold !== undefined && pool.panicThreshold > 0) this.#warn([...at, 'panicThreshold'], 'is not used: a pool with role: primary never panics', VALUE, { expected: '0%' });
  }

  #http2(pool: Pool, at: YamlPath): void {
    if (pool.proxyProtocol !== undefined && pool.proxyProtocol !== 'off') {
      this.#fail([...at, 'proxyProtocol'], 'names one client, and a connection of HTTP/2 is for many', { expected: 'off, or protocol: http1' });
    }
  }

  /** Where code that the config names may lie. */
  get #codePlace(): CodePlace {
    const hasStore = this.#store !== 'none';
    const { folder, pluginsDir, pluginsGiven } = this.#options;
    return { folder, pluginsDir: pluginsGiven || !hasStore ? pluginsDir : null, hasStore };
  }

  #module(at: YamlPath, path: string): void {
    const fault = moduleFault(path, this.#codePlace);
    if (fault !== null) this.#fail([...at, 'name'], fault.message, fault.hints);
  }

  #programs(name: string, pool: Pool): void {
    for (const [index, check] of (pool.health ?? []).entries()) {
      if (check?.type !== 'exec') continue;
      const at: YamlPath = nodeAt(this.#tree, ['pools', name, 'health']).kind === 'list' ? ['pools', name, 'health', index] : ['pools', name, 'health'];
      const [path] = check.command as readonly (string | undefined)[] | undefined ?? [undefined];
      if (check.command === undefined) continue;
      if (path === undefined) this.#fail(at, 'names no program', { expected: 'command: [PATH, ARGUMENT, …]' });
      else this.#program([...at, 'command', 0], path);
    }
  }

  #program(at: YamlPath, path: string): void {
    const fault = programFault(path, this.#codePlace);
    if (fault !== null) this.#fail(at, fault.message, fault.hints);
  }

  #timeouts(timeouts: Timeouts, at: () => YamlPath): void {
    for (const key in timeouts) {
      const ms = timeouts[key] ?? 0;
      if (ms % TIMEOUT_STEP_MS !== 0) this.#warn([...at(), key], `is taken as ${Math.ceil(ms / TIMEOUT_STEP_MS) * TIMEOUT_STEP_MS}ms`, VALUE, { expected: 'a multiple of 100ms' });
    }
  }

  /** Two binds of one port overlap if one is a wildcard for the other's family, or both are the same address. Ports of TCP and UDP are two things. */
  #binds(): void {
    const byPort = new Map<string, { readonly bind: BindSpec; readonly owner: string }[]>();
    const claim = (bind: BindSpec, owner: string, at: YamlPath | null, transport: 'tcp' | 'udp' = 'tcp'): void => {
      if (bind.port === 0) return;
      const port = `${transport} ${bind.port}`;
      const others = byPort.get(port) ?? [];
      byPort.set(port, others);
      const other = others.find((candidate) => overlap(candidate.bind, bind));
      if (other === undefined) others.push({ bind, owner });
      else if (at === null) this.#problems.error(0, `--admin ${bind.text} overlaps with ${other.bind.text} of ${other.owner}`);
      else this.#fail(at, `overlaps with \`${other.bind.text}\` of ${other.owner}`, { expected: 'an address and port that nothing else here listens on' });
    };
    for (const [name, listener] of this.#listeners) {
      for (const [index, bind] of (listener.bind ?? []).entries()) if (bind !== undefined) claim(bind as BindSpec, `listener ${name}`, ['listeners', name, 'bind', index], listener.protocol === 'udp' ? 'udp' : 'tcp');
    }
    const { adminBind } = this.#options;
    const admin = adminBind ?? (this.#config.admin?.bind as BindSpec | undefined);
    if (admin !== undefined) claim(admin, 'admin', adminBind === null ? ['admin', 'bind'] : null);
  }

  /** A connection of tcp holds one to its backend all the while; http shares those, and a session of udp has one socket of its own. */
  #descriptors(): void {
    const { descriptorsMax } = this.#options;
    if (descriptorsMax === null) return;
    const needs = this.#listeners.map(([, { protocol, limits }]) => (limits?.connections ?? 0) * (protocol === 'tcp' ? 2 : 1));
    const sum = needs.reduce((total, need) => total + need, 0);
    if (sum <= descriptorsMax) return;
    const [name] = this.#listeners[needs.indexOf(Math.max(...needs))]!;
    this.#warn(['listeners', name, 'limits', 'connections'], `connections of the listeners may need ${sum} open files, and this process may have ${descriptorsMax}`, KEY, { expected: 'fewer connections, or a higher limit of open files (ulimit -n, LimitNOFILE=)' });
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

  #fail(at: YamlPath, message: string, hints: ProblemHints = {}, about: About = VALUE): void {
    const { offset, text } = this.#place(at, message, about);
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
