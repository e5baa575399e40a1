/**
 * Where a tier's Redis is, read from `tier.store`:
 *
 *   redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]
 *   rediss://…                      the same over TLS
 *   sentinel://[USER[:PASSWORD]@]HOST[:PORT],…/MASTER
 *   cluster://[USER[:PASSWORD]@]HOST[:PORT],…
 *
 * with `?ca=FILE` (certificates to trust; it means TLS), `?tls=true`, and for
 * Sentinels that ask for a password of their own `?sentinelUser=NAME` and
 * `?sentinelPasswordFile=FILE`. User and password are percent-encoded. Called
 * when a store is opened; what it throws names no password.
 */
import { readFileSync } from 'node:fs';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface RedisTarget {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** Of Redis, of the Sentinels, or of some nodes of the cluster. */
  readonly endpoints: readonly Endpoint[];
  /** As the Sentinels call it; '' otherwise. */
  readonly master: string;
  readonly username: string | null;
  readonly password: string | null;
  readonly sentinelUsername: string | null;
  readonly sentinelPassword: string | null;
  readonly database: number;
  /** null: no TLS. Certificates to trust, or undefined: the system's. */
  readonly tls: { readonly ca?: string } | null;
}

const SCHEMES = new Map([
  ['redis', { kind: 'single', port: 6379, tls: false }],
  ['rediss', { kind: 'single', port: 6379, tls: true }],
  ['sentinel', { kind: 'sentinel', port: 26379, tls: false }],
  ['cluster', { kind: 'cluster', port: 6379, tls: false }],
] as const);

const PARAMETERS = ['ca', 'tls', 'sentinelUser', 'sentinelPasswordFile'];

export function isRedisUrl(url: string): boolean {
  return SCHEMES.has(/^(\w+):\/\//.exec(url)?.[1] as 'redis');
}

export function parseRedisUrl(url: string): RedisTarget {
  const parts = /^(\w+):\/\/(?:([^/?]*)@)?([^/?@]+)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(url);
  const scheme = SCHEMES.get(parts?.[1] as 'redis');
  if (parts === null || scheme === undefined) throw new Error('the store is not given as redis://, rediss://, sentinel:// or cluster:// with its hosts');
  const [, , login = '', hosts = '', path = ''] = parts;
  const parameters = readParameters(parts[5] ?? '');
  const passwordFile = parameters.get('sentinelPasswordFile');
  return {
    kind: scheme.kind,
    endpoints: hosts.split(',').map((text) => readEndpoint(text, scheme.port)),
    ...readPath(scheme.kind, decode(path)),
    ...readLogin(login),
    sentinelUsername: parameters.get('sentinelUser') ?? null,
    sentinelPassword: passwordFile === undefined ? null : readFile(passwordFile, 'sentinelPasswordFile').trim(),
    tls: readTls(scheme.tls, parameters),
  };
}

function readEndpoint(text: string, defaultPort: number): Endpoint {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/.exec(text);
  const port = Number(parts?.[3] ?? defaultPort);
  if (parts === null || port < 1 || port > 65_535) throw new Error(`the store's host ${JSON.stringify(text)} is not HOST or HOST:PORT`);
  return { host: parts[1] ?? parts[2]!, port };
}

function readPath(kind: RedisTarget['kind'], path: string): Pick<RedisTarget, 'master' | 'database'> {
  if (kind === 'sentinel') {
    if (!/^[A-Za-z0-9._-]+$/.test(path)) throw new Error('the store does not name the master that the Sentinels watch: sentinel://HOST,HOST/MASTER');
    return { master: path, database: 0 };
  }
  if (kind === 'cluster' && path !== '') throw new Error('the store names a database, which a cluster does not have');
  if (!/^\d{0,4}$/.test(path)) throw new Error('the database of the store is not a number');
  return { master: '', database: Number(path) };
}

function readLogin(login: string): Pick<RedisTarget, 'username' | 'password'> {
  if (login === '') return { username: null, password: null };
  const colon = login.indexOf(':');
  const [username, password] = colon < 0 ? [login, null] : [login.slice(0, colon), login.slice(colon + 1)];
  return { username: username === '' ? null : decode(username), password: password === null ? null : decode(password) };
}

function readParameters(query: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((each) => each !== '')) {
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    if (!PARAMETERS.includes(name)) throw new Error(`the store has the parameter ${JSON.stringify(name)}; known are ${PARAMETERS.join(', ')}`);
    parameters.set(name, decode(value));
  }
  return parameters;
}

function readTls(always: boolean, parameters: ReadonlyMap<string, string>): RedisTarget['tls'] {
  const file = parameters.get('ca');
  const asked = parameters.get('tls');
  if (asked !== undefined && asked !== 'true') throw new Error('the store has `tls` with another value than true');
  if (file !== undefined) return { ca: readFile(file, 'ca') };
  return always || asked === 'true' ? {} : null;
}

function readFile(path: string, parameter: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`the file of the store's parameter \`${parameter}\` cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** A stray % stands for itself; the text may be a password and is not shown. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
