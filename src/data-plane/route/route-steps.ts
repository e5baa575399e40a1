/**
 * What a route does to the request target, compiled: the target a backend is
 * sent (`rewrite`), and the Location a redirect answers with. Both keep the
 * query, and the bytes of the path that they do not replace.
 *
 * "The prefix that the route matched" is the longest of the route's prefixes
 * that the path has. A path matched by an exact pattern is replaced whole; one
 * matched by a regex, or by a route without path, has the empty prefix.
 *
 * Bytes stay as sent only while the result means what was routed. The rest of
 * `/old/../old/a` put behind `/new` would be resolved to `/old/a` by the
 * backend and so leave the new prefix; then the resolved path is rewritten
 * instead (`/new/a`), and without its parameters if it could leave by them.
 */
import type { RedirectSpec, RouteSpec } from '../../shared/snapshot.ts';
import { barePath, mayReadTwoWays, pathReadings, resolvePath } from './path-readings.ts';
import type { RouteQuery } from './route-query.ts';
import { encodeTargetBytes, encodeTargetText } from './target-text.ts';

export interface TargetRewrite {
  /**
   * The target for the backend, query included; null: as sent. `path` as sent,
   * `query` without question mark.
   */
  rewriteTarget(path: string, query: string): string | null;
}

export interface Redirect {
  readonly status: number;
  /**
   * The value of Location. `requestScheme`: how the client came (`http`,
   * `https`). `hostAsSent`: the Host header, or ''. The location is relative
   * while scheme, host and port stay what they are, which is right behind any
   * other proxy; it is relative too if the request names no usable host.
   */
  location(query: RouteQuery, requestScheme: string, hostAsSent: string): string;
}

/** null: the route leaves the target alone. */
export function compileRewrite(route: RouteSpec): TargetRewrite | null {
  const { rewrite } = route;
  if (rewrite === null || (rewrite.path === null && rewrite.prefix === null)) return null;
  const replace = compileReplacement(route, rewrite);
  return {
    rewriteTarget(path, query) {
      if (!path.startsWith('/')) return null;
      const rewritten = replace(path);
      return rewritten === path ? null : withQuery(rewritten, query);
    },
  };
}

export function compileRedirect(route: RouteSpec, spec: RedirectSpec): Redirect {
  if (spec.to !== null) {
    const [to, fragment] = splitFragment(spec.to);
    return { status: spec.status, location: (query) => withQuery(to, encodeTargetBytes(query.query())) + fragment };
  }
  const replace = spec.path === null && spec.prefix === null ? (path: string) => path : compileReplacement(route, spec);
  return {
    status: spec.status,
    location(query, requestScheme, hostAsSent) {
      const path = query.path();
      const origin = originOf(spec, requestScheme, hostAsSent);
      const target = path.startsWith('/') ? encodeTargetBytes(replace(path)) : '/';
      // Two slashes at the start of a relative reference would begin a host (RFC 3986 §4.2).
      const safe = origin === '' ? target.replace(/^\/{2,}/, '/') : target;
      return origin + withQuery(safe, encodeTargetBytes(query.query()));
    },
  };
}

/** Path as sent → path, for the `path` or `prefix` of a rewrite or redirect. */
function compileReplacement(route: RouteSpec, parts: { readonly path: string | null; readonly prefix: string | null }): (path: string) => string {
  if (parts.path !== null) {
    const whole = encodeTargetText(parts.path);
    return () => whole;
  }
  const replacement = encodeTargetText(parts.prefix!).replace(/\/+$/, '');
  const matched = compileMatchedPrefix(route);
  const put = (path: string): string => {
    const rest = path.slice(matched(path).length);
    // Nothing in front of the rest: it must be a path by itself, and not begin with what reads as a host.
    return replacement === '' ? rest.replace(/^[/\\]*/, '/') : replacement + rest;
  };
  return (path) => {
    const rewritten = put(path);
    if (!mayReadTwoWays(path)) return rewritten;
    const means = pathReadings(rewritten).slice(1);
    const meant = pathReadings(path).slice(1).map(put).filter((reading) => reading !== rewritten);
    const unchanged = means.every((reading) => meant.includes(reading)) && meant.every((reading) => means.includes(reading));
    if (unchanged) return rewritten;
    const resolved = put(resolvePath(path));
    return pathReadings(resolved).slice(1).every((reading) => meant.includes(reading)) ? resolved : put(barePath(path));
  };
}

/** The prefix that a path has by the route's patterns. */
function compileMatchedPrefix(route: RouteSpec): (path: string) => string {
  const patterns = route.match.path ?? [];
  const exact = patterns.filter((pattern) => pattern.kind === 'exact').map((pattern) => pattern.value);
  const prefixes = patterns.filter((pattern) => pattern.kind === 'prefix').map((pattern) => pattern.value);
  prefixes.sort((a, b) => b.length - a.length);
  return (path) => {
    if (exact.includes(path)) return path;
    return prefixes.find((prefix) => path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/')) ?? '';
  };
}

function withQuery(target: string, query: string): string {
  if (query === '') return target;
  return `${target}${target.includes('?') ? '&' : '?'}${query}`;
}

/** The URL of `to` in front of its fragment, and the fragment with its sign. */
function splitFragment(to: string): [url: string, fragment: string] {
  const hash = to.indexOf('#');
  if (hash === -1) return [encodeTargetText(to), ''];
  return [encodeTargetText(to.slice(0, hash)), `#${encodeTargetText(to.slice(hash + 1))}`];
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * `scheme://host:port` where the redirect changes one of them, else ''. The
 * request's port is kept only with its host and scheme: another scheme or host
 * has its own, which is the scheme's default unless the redirect names one.
 */
function originOf(spec: RedirectSpec, requestScheme: string, hostAsSent: string): string {
  if (spec.scheme === null && spec.host === null && spec.port === null) return '';
  const sent = splitHost(hostAsSent);
  const name = spec.host === null ? sent?.name : encodeTargetText(spec.host);
  if (name === undefined) return '';
  const scheme = spec.scheme ?? requestScheme;
  const keepsPort = spec.host === null && scheme === requestScheme;
  const port = spec.port ?? (keepsPort ? (sent?.port ?? null) : null);
  return `${scheme}://${name}${port === null || port === DEFAULT_PORTS[scheme] ? '' : `:${port}`}`;
}

/** Name (with brackets, if it has some) and port of a Host header; null if it could not stand in a URL. */
function splitHost(host: string): { name: string; port: number | null } | null {
  const parts = /^([A-Za-z0-9\-._~%!$&'()*+,;=]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?$/.exec(host);
  if (parts === null) return null;
  return { name: parts[1]!, port: parts[2] === undefined || parts[2] === '' ? null : Number(parts[2]) };
}
