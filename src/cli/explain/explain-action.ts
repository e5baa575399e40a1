/** What becomes of a request once its route is known: the part of `weir explain` after the arrow. */
import { findBalancer } from '../../data-plane/balance/registry.ts';
import type { RouteQuery } from '../../data-plane/route/route-query.ts';
import { compileRedirect, compileRewrite } from '../../data-plane/route/route-steps.ts';
import type { BackendState, PoolSpec, RouteSpec, Snapshot } from '../../shared/snapshot.ts';
import { servingBackends } from '../../shared/usable-backends.ts';
import type { AskedRequest } from './explain-request.ts';

export interface CandidateExplanation {
  readonly address: string;
  readonly priority: number;
  readonly weight: number;
  /** The file's; an operator's may be stricter. */
  readonly state: BackendState;
  /** Takes requests if every backend is up. */
  readonly serves: boolean;
}

export type ActionExplanation =
  | {
      readonly kind: 'pool';
      readonly pool: string;
      readonly algorithm: string;
      /** What the algorithm hashes (`header:x-user`); null: it needs no key. */
      readonly key: string | null;
      /** Target and Host as the backend is sent them. */
      readonly target: string;
      readonly host: string;
      /** By priority, then in file order. */
      readonly candidates: readonly CandidateExplanation[];
    }
  | { readonly kind: 'redirect'; readonly status: number; readonly location: string }
  | { readonly kind: 'respond'; readonly status: number; readonly contentType: string; readonly body: string };

export function explainAction(snapshot: Snapshot, route: RouteSpec, asked: AskedRequest, request: RouteQuery): ActionExplanation {
  const { action } = route;
  switch (action.kind) {
    case 'respond':
      return { kind: 'respond', status: action.status, contentType: action.contentType, body: action.body };
    case 'redirect': {
      const redirect = compileRedirect(route, action);
      return { kind: 'redirect', status: redirect.status, location: redirect.location(request, asked.scheme, asked.hostAsSent) };
    }
    case 'pool': {
      const pool = snapshot.pools.find((each) => each.name === action.pool)!;
      const asSent = asked.query === '' ? asked.path : `${asked.path}?${asked.query}`;
      return {
        kind: 'pool',
        pool: pool.name,
        algorithm: pool.algorithm.module ?? pool.algorithm.name,
        key: keyOf(pool),
        target: compileRewrite(route)?.rewriteTarget(asked.path, asked.query) ?? asSent,
        host: route.rewrite?.host ?? asked.hostAsSent,
        candidates: candidatesOf(pool),
      };
    }
  }
}

function keyOf(pool: PoolSpec): string | null {
  const { name, module, key } = pool.algorithm;
  const definition = module === null ? findBalancer(name) : undefined;
  if (definition !== undefined && !definition.usesKey) return null;
  const used = definition?.fixedKey ?? key;
  return used.name === '' ? used.kind : `${used.kind}:${used.name}`;
}

/** Verdicts are not in the file: all are taken to be up, as in a tier without trouble. */
function candidatesOf(pool: PoolSpec): CandidateExplanation[] {
  const standings = pool.backends.map(({ state, weight, priority }) => ({ state, weight, priority, verdict: 'up' as const, ejected: false }));
  const serving = new Set(servingBackends(standings, pool.panicShare).indexes);
  const candidates = pool.backends.map(({ address, priority, weight, state }, index) => ({ address, priority, weight, state, serves: serving.has(index) }));
  return candidates.sort((a, b) => a.priority - b.priority);
}
