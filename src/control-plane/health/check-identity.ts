/**
 * What makes a check the same one, in each pool and on every proxy that runs
 * the same config: the address as written and a digest of how it is probed.
 * Its name stands in the store, so nothing that came from a secret has a part
 * in it, not even hashed: a short password could be found by trying. Nor has the
 * certificate that a proxy shows: the tier shares one verdict whoever shows
 * which. Checks that differ in such values alone are told apart by their order
 * in the config.
 */
import { createHash } from 'node:crypto';
import { buildProxyHeader } from '../../net/proxy-protocol.ts';
import { SecureDial } from '../../net/secure-dial.ts';
import type { BackendTlsSpec, HealthSpec, PoolSpec } from '../../shared/snapshot.ts';
import type { ProbeDefinition } from './probe.ts';
import { probeDefinition } from './registry.ts';
import { startTlsOf } from './tls-option.ts';

/** What a check needs to be probed. */
export interface ProbePlan {
  readonly spec: HealthSpec;
  readonly definition: ProbeDefinition;
  /** What each of its connections begins with; null: nothing. */
  readonly header: Buffer | null;
  /** null: in the clear. */
  readonly secure: SecureDial | null;
  /** Asked for in the probe's own protocol; null: it is not. */
  readonly startTls: SecureDial | null;
  /** The pool speaks HTTP/2 to its backends. */
  readonly overHttp2: boolean;
}

/** One of a pool's checks, whatever the address. */
export interface AskedCheck {
  readonly plan: ProbePlan | null;
  readonly digest: string;
  /** Place in the pool's `health`. */
  readonly place: number;
  /** What tells it from the pool's other checks; '': it has none. */
  readonly label: string;
}

/** What of a pool says how it is probed. */
export type AskingPool = Pick<PoolSpec, 'health' | 'proxyProtocol'> & Partial<Pick<PoolSpec, 'tls' | 'protocol'>>;
type Terms = Omit<AskingPool, 'health'>;

export function checkKey(address: string, specDigest: string): string {
  return `${address} ${specDigest}`;
}

/** Of a config: asked pool by pool, in the config's order. */
export class CheckIdentities {
  /** Hidden values of each digest, in the order in which they came. */
  readonly #hidden = new Map<string, string[]>();

  /** One at least; the same thing twice in a pool is one check. */
  of({ health, ...terms }: AskingPool): readonly AskedCheck[] {
    if (health.length === 0) return [{ plan: null, digest: 'unprobed', place: 0, label: '' }];
    const { tls = null } = terms;
    const secure = tls === null ? null : new SecureDial(tls);
    const asked = new Map<string, AskedCheck>();
    for (const [place, spec] of health.entries()) {
      const digest = this.#digestOf(spec, terms);
      if (!asked.has(digest)) asked.set(digest, { plan: planOf(spec, terms, secure), digest, place, label: labelOf(health, place) });
    }
    return [...asked.values()];
  }

  #digestOf(spec: HealthSpec, terms: Terms): string {
    const digest = digestOf(spec, terms);
    const hidden = hiddenValues(spec, terms.tls ?? null);
    if (hidden === '') return digest;
    const known = this.#hidden.get(digest) ?? [];
    if (known.length === 0) this.#hidden.set(digest, known);
    let at = known.indexOf(hidden);
    if (at === -1) at = known.push(hidden) - 1;
    return at === 0 ? digest : `${digest}#${at + 1}`;
  }
}

/** Hidden values left out. */
export function digestOf({ role, hidden, ...spec }: HealthSpec, { proxyProtocol = 'off', tls = null, protocol }: Partial<Terms> = {}): string {
  const options = hidden.length === 0 ? spec.options : Object.fromEntries(Object.entries(spec.options).filter(([key]) => !hidden.includes(key)));
  // What most checks do not have is left out, so that it changes the names of no others.
  const more = {
    ...(role === null ? {} : { role }),
    ...(proxyProtocol === 'off' ? {} : { proxyProtocol }),
    ...(tls === null ? {} : { tls: shownTls(tls) }),
    ...(isOverHttp2(protocol) && probeDefinition(spec.type)?.alpn !== undefined ? { protocol } : {}),
  };
  return createHash('sha256').update(JSON.stringify({ ...spec, options, ...more })).digest('base64url').slice(0, 16);
}

/** That a certificate is shown, not which: each proxy may have one of its own, and a renewed one begins nothing anew. */
function shownTls({ key: _, cert, ...shown }: BackendTlsSpec): object {
  return { ...shown, cert: cert !== null };
}

/** '': none. For comparing only. */
function hiddenValues({ hidden, options }: HealthSpec, tls: BackendTlsSpec | null): string {
  const values = [...hidden.map((key) => [key, options[key]]), ...(tls === null || tls.cert === null ? [] : [['tls', tls.cert, tls.key]])];
  return values.length === 0 ? '' : JSON.stringify(values);
}

/** Whether a probe by these differs in what a check's name does not say. */
export function differHidden(former: ProbePlan, next: ProbePlan): boolean {
  return hiddenValues(former.spec, former.secure?.spec ?? null) !== hiddenValues(next.spec, next.secure?.spec ?? null);
}

function isOverHttp2(protocol: PoolSpec['protocol'] | undefined): boolean {
  return protocol === 'h2' || protocol === 'h2c';
}

function planOf(spec: HealthSpec, { proxyProtocol, protocol }: Terms, secure: SecureDial | null): ProbePlan {
  const definition = probeDefinition(spec.type);
  if (definition === undefined) throw new Error(`no probe type is called ${spec.type}`);
  const startTls = startTlsOf(spec);
  return { spec, definition, startTls: startTls === null ? null : new SecureDial(startTls), header: proxyProtocol === 'off' ? null : buildProxyHeader(proxyProtocol, null), secure, overHttp2: isOverHttp2(protocol) };
}

/** The type, and the place in the list beside another of that type. */
function labelOf(health: readonly HealthSpec[], place: number): string {
  if (health.length === 1) return '';
  const { type } = health[place]!;
  return health.some((other, at) => other.type === type && at !== place) ? `health[${place}] ${type}` : type;
}
