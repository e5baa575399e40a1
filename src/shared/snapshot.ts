/**
 * What the operator wrote, compiled: plain data, complete (every default is in
 * it), immutable, numbered, swapped whole. The config loader makes it, the
 * control plane and the workers read it. Durations are milliseconds, sizes
 * bytes, and 0 means "no limit" wherever CONFIG allows a bare 0.
 */
export interface Snapshot {
  /** Counts up by one with each accepted config of this process; the first is 1. */
  readonly number: number;
  /** sha256 (hex) of the file's bytes. */
  readonly sha: string;
  /** sha256 (hex) after `${}` and `file:` were resolved, with the code of the modules it names. */
  readonly effectiveSha: string;
  readonly listeners: readonly ListenerSpec[];
  readonly pools: readonly PoolSpec[];
  readonly tier: TierSpec;
  readonly drain: DrainSpec;
  readonly admin: AdminSpec;
  readonly log: LogSpec;
}

export interface BindSpec {
  /** As written, for messages. */
  readonly text: string;
  /** Literal IP; null: every address, v4 and v6. */
  readonly host: string | null;
  /** 0: a free one, chosen by the main thread, the same in all workers. */
  readonly port: number;
}

export interface ListenerSpec {
  readonly name: string;
  readonly protocol: 'http' | 'tcp' | 'udp';
  readonly binds: readonly BindSpec[];
  /** CIDRs (`10.0.0.0/8`, `::1/128`). */
  readonly trustedProxies: readonly string[];
  /** A PROXY header in front of a connection: never read, read if a trusted sender sends one, or asked of each connection. */
  readonly proxyProtocol: 'off' | 'accept' | 'require';
  /** null: clients speak in the clear. */
  readonly tls: TlsSpec | null;
  readonly via: boolean;
  readonly forwarded: boolean;
  /** HTTP/2 is taken, too. */
  readonly http2: boolean;
  readonly limits: {
    readonly connections: number;
    readonly headerBytesMax: number;
    readonly headerCountMax: number;
    readonly bodyBytesMax: number;
    /** udp: a session ends after so many answers; 0: never. */
    readonly responsesMax: number;
    /** http: of one HTTP/2 connection, requests at once; streams ended early, and frames that carry nothing, each in 10 s. 0: no limit. */
    readonly streamsMax: number;
    readonly resetsMax: number;
    readonly controlFramesMax: number;
    /** TLS handshakes under way in each worker. */
    readonly handshakesMax: number;
  };
  readonly timeouts: {
    readonly headerMs: number;
    readonly bodyMs: number;
    readonly sendMs: number;
    readonly idleMs: number;
    readonly tunnelMs: number;
  };
  /** In file order; `pool:` of the listener has become a last route without match. */
  readonly routes: readonly RouteSpec[];
}

/** How a listener speaks TLS. */
export interface TlsSpec {
  /** At least one; the first is the default. */
  readonly certificates: readonly CertificateSpec[];
  /** Shown to who asks for another name, or none: the default, or no certificate at all. */
  readonly unknownName: 'default' | 'refuse';
  readonly minVersion: TlsVersion;
  /** As OpenSSL writes them; suites of TLS 1.3 are among them. */
  readonly ciphers: string;
  /** null: the runtime's. */
  readonly curves: string | null;
  /** The preferred first; empty: none is agreed on. */
  readonly alpn: readonly string[];
  /** Whose certificates clients are asked for, or must have; null: they are not asked. */
  readonly clientAuth: { readonly mode: 'request' | 'require'; /** PEM. */ readonly ca: string } | null;
  /** Clients may take up a session again, in any worker, and where keys are shared in any proxy of the tier. */
  readonly tickets: boolean;
}

/** How a pool's backends are spoken to in TLS. */
export interface BackendTlsSpec {
  /** PEM of the authorities that are trusted; null: the runtime's. */
  readonly ca: string | null;
  /** Asked for, and what the certificate is held to; null: the backend's own name or address. */
  readonly serverName: string | null;
  /** PEM of what we show who asks; null: nothing. The key is never logged, never shown. */
  readonly cert: string | null;
  readonly key: string | null;
  readonly verify: boolean;
  readonly minVersion: TlsVersion;
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export interface CertificateSpec {
  /** Where it came from, as written: its label in metrics and logs. */
  readonly label: string;
  /** PEM: the certificate, then those that lead to its root. */
  readonly cert: string;
  /** PEM. Never logged, never shown. */
  readonly key: string;
  /** Lower case, as in the certificate: `a.example.com`, `*.example.com`, addresses. */
  readonly names: readonly string[];
  /** `rsa`, `ec` …: of one name there may be one certificate of each. */
  readonly keyType: string;
  /** Wall time. */
  readonly expiresAtMs: number;
}

export interface RouteSpec {
  /** Label in logs and metrics; unique within its listener. */
  readonly name: string;
  readonly match: MatchSpec;
  readonly action: ActionSpec;
  readonly rewrite: RewriteSpec | null;
  readonly requestHeaders: HeaderEdits | null;
  readonly responseHeaders: HeaderEdits | null;
  readonly timeouts: { readonly responseMs: number; readonly idleMs: number; readonly totalMs: number };
  readonly rateLimit: RateLimitSpec | null;
  readonly retry: RetrySpec | null;
}

/** What may go wrong with an attempt before its answer comes. */
export const RETRY_CAUSES = ['connect-failure', 'refused-stream', 'connection-lost', 'response-timeout'] as const;
export type RetryCause = (typeof RETRY_CAUSES)[number];

/** After which failures a request is sent again, besides those that always are. */
export interface RetrySpec {
  /** The first one among them. */
  readonly attemptsMax: number;
  /** Of HTTP, 400 to 599. */
  readonly statuses: readonly number[];
  /** Of gRPC, 1 to 16. */
  readonly grpcStatuses: readonly number[];
  readonly causes: readonly RetryCause[];
  /** 0 to 1, of the route's requests. */
  readonly budgetShare: number;
  /** 0: as the route's response timeout. */
  readonly perTryMs: number;
}

/** A bucket for each key: it holds `burst` requests and fills by `count` in `periodMs`. */
export interface RateLimitSpec {
  readonly key: KeySpec;
  readonly count: number;
  /** A second, a minute or an hour. */
  readonly periodMs: number;
  /** 1 to 1,000,000. */
  readonly burst: number;
  /** `tier`: one bucket for all members; with `tier.store: none` the same as `proxy`. */
  readonly scope: 'tier' | 'proxy';
}

/** Counted together with the other members of a tier; without a store there are none. */
export function isShared(limit: RateLimitSpec, tier: Pick<TierSpec, 'store'>): boolean {
  return limit.scope === 'tier' && tier.store !== 'none';
}

/** Each key that is not null must hold; a list holds if one entry does. */
export interface MatchSpec {
  readonly host: readonly HostPattern[] | null;
  readonly path: readonly PathPattern[] | null;
  /** Case counts (RFC 9110 §9.1). */
  readonly method: readonly string[] | null;
  readonly header: readonly FieldPattern[] | null;
  readonly query: readonly FieldPattern[] | null;
  readonly cookie: readonly FieldPattern[] | null;
  /** CIDRs the client address must be in. */
  readonly source: readonly string[] | null;
  /** Of a TLS ClientHello, on tcp listeners. */
  readonly sni: readonly HostPattern[] | null;
  readonly alpn: readonly string[] | null;
}

export interface HostPattern {
  /** `suffix` is "*.value": one or more labels before value, not value itself. */
  readonly kind: 'exact' | 'suffix';
  /** Lower case, no port, no final dot. */
  readonly value: string;
}

export interface PathPattern {
  /** `prefix`: whole segments, no final slash (so "/" is the empty string). `regex`: RE2, the whole path. */
  readonly kind: 'prefix' | 'exact' | 'regex';
  readonly value: string;
}

/** A header, query parameter or cookie. Holds if one of its values matches one of `values`. */
export interface FieldPattern {
  /** Lower case for headers, as written for query and cookie. */
  readonly name: string;
  /** null: only `present` counts. */
  readonly values: readonly ValuePattern[] | null;
  /** false: holds only if the field is absent. */
  readonly present: boolean;
}

export interface ValuePattern {
  readonly kind: 'exact' | 'regex';
  readonly value: string;
}

export type ActionSpec =
  | { readonly kind: 'pool'; readonly pool: string }
  | { readonly kind: 'respond'; readonly status: number; readonly body: string; readonly contentType: string }
  | RedirectSpec;

export interface RedirectSpec {
  readonly kind: 'redirect';
  readonly status: number;
  /** A whole URL; then the parts below are null. The request's query is kept in both forms. */
  readonly to: string | null;
  readonly scheme: string | null;
  readonly host: string | null;
  readonly port: number | null;
  readonly path: string | null;
  /** Replaces the prefix that the route matched. */
  readonly prefix: string | null;
}

export interface RewriteSpec {
  /** Replaces the whole path, query kept. */
  readonly path: string | null;
  /** Replaces the prefix that the route matched. */
  readonly prefix: string | null;
  readonly host: string | null;
}

/** Applied in this order: remove, set, add. Names as written. */
export interface HeaderEdits {
  readonly remove: readonly string[];
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
}

export interface PoolSpec {
  readonly name: string;
  readonly algorithm: AlgorithmSpec;
  /** What is spoken to backends of http listeners: `h2` over TLS, `h2c` in the clear. */
  readonly protocol: 'http1' | 'h2' | 'h2c';
  /** The header that connections to its backends begin with, those of probes too. */
  readonly proxyProtocol: 'off' | 'v1' | 'v2';
  /** null: in the clear. */
  readonly tls: BackendTlsSpec | null;
  /** What becomes of tcp connections of a backend that goes down. */
  readonly onDown: 'keep' | 'close';
  /** A role pool that stops when this proxy is cut off from the store. */
  readonly fence: boolean;
  readonly backends: readonly BackendSpec[];
  /** All must pass; empty: not probed. */
  readonly health: readonly HealthSpec[];
  readonly outlier: OutlierSpec | null;
  /** Share of a priority's ready weight that must be usable, 0 to 1; 0 never panics. */
  readonly panicShare: number;
  readonly connections: { readonly perBackend: number; readonly connectTimeoutMs: number; readonly idleMs: number };
}

/** Whether only the backend that has a role, of those that are up, is used: such a pool never panics. */
export function isRolePool(pool: Pick<PoolSpec, 'health'>): boolean {
  return pool.health.some(({ role }) => role !== null);
}

export interface AlgorithmSpec {
  /** Name in the registry, or `module`. */
  readonly name: string;
  /** Absolute path of a user's own module; null for a registered one. */
  readonly module: string | null;
  /** Checked by the algorithm's own schema, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What hashing algorithms hash. */
  readonly key: KeySpec;
}

export interface KeySpec {
  readonly kind: 'client-ip' | 'header' | 'cookie' | 'query' | 'path';
  /** Name of the header (lower case), cookie or query parameter; '' otherwise. */
  readonly name: string;
}

export type BackendState = 'ready' | 'drain' | 'disabled';

export interface BackendSpec {
  /** As written: with the pool's name, the identity of the backend. */
  readonly address: string;
  /** Literal IP or a name; `named` tells. */
  readonly host: string;
  readonly port: number;
  readonly named: boolean;
  /** 0 to 1000. */
  readonly weight: number;
  /** 0 is used first. */
  readonly priority: number;
  readonly state: BackendState;
}

export interface HealthSpec {
  /** Name in the probe registry. */
  readonly type: string;
  /** Options of that type, checked by its own schema, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Names of options whose values are secrets, or came from a file or the environment: they stand in no log, status, reason or name. */
  readonly hidden: readonly string[];
  /** Passes only for the backend that has this role; null: whatever its role is. */
  readonly role: 'primary' | null;
  /** Probed instead of the backend's port; null: the same. */
  readonly port: number | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
  readonly fastIntervalMs: number;
}

export interface OutlierSpec {
  readonly consecutiveFailures: number;
  readonly ejectForMs: number;
  /** Share of the pool's backends, 0 to 1. */
  readonly maxEjectedShare: number;
}

export interface TierSpec {
  readonly name: string;
  /** `none`, or the store's URL, its password included: never shown as it is. */
  readonly store: string;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly probers: number;
}

export interface DrainSpec {
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly removedMs: number;
}

export interface AdminSpec {
  readonly bind: BindSpec;
  /** null: none. Never logged, never shown. */
  readonly token: string | null;
  readonly readToken: string | null;
}

export interface LogSpec {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'text';
  readonly access: { readonly format: 'off' | 'json' | 'common' | 'combined'; readonly to: string };
}
