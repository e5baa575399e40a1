/**
 * Who may call, and from where. The admin interface has no cookies, so a web
 * page can harm it in two ways only: by a name of its own that resolves to our
 * address (DNS rebinding), which the Host check stops, and by a blind
 * cross-origin request, which the content type and Origin checks stop.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { AdminRoute } from './admin-route.ts';
import { CallProblem } from './problem.ts';

export interface Tokens {
  readonly token: string | null;
  readonly readToken: string | null;
}

const JSON_TYPES = ['application/json'];
const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'];

/** `names`: what this machine is called, lower case; `localhost` and IPs are always right. Throws 421. */
export function checkHost(hostField: string | undefined, names: ReadonlySet<string>): void {
  const name = hostName(hostField ?? '');
  if (name !== null && (isIP(name) !== 0 || name === 'localhost' || names.has(name))) return;
  throw new CallProblem(421, 'Host must be an IP address, localhost or the name of this machine: other names could be a web page’s.');
}

/** The name or address in a Host field (RFC 9110 §7.2), lower case, without port and final dot; null if it is neither. */
function hostName(field: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?$/i.exec(field);
  if (match === null) return null;
  return match[1] ?? match[2]!.toLowerCase().replace(/\.$/, '');
}

/** Throws 401 (nobody known) or 403 (known, but may only read). Without a token configured, everyone on loopback may. */
export function checkToken(authorization: string | undefined, access: AdminRoute['access'], tokens: Tokens): void {
  if (access === 'none' || tokens.token === null) return;
  const given = /^Bearer +([^\s]+)$/i.exec(authorization ?? '')?.[1] ?? null;
  // All comparisons are always made, so that time does not tell which one failed.
  const mayWrite = sameText(given ?? '', tokens.token) && given !== null;
  const mayRead = sameText(given ?? '', tokens.readToken ?? '') && given !== null && tokens.readToken !== null;
  if (mayWrite || (mayRead && access === 'read')) return;
  if (mayRead) throw new CallProblem(403, 'This token may only read.');
  throw new CallProblem(401, given === null ? 'A token is needed: Authorization: Bearer TOKEN.' : 'The token is not right.', {
    headers: { 'www-authenticate': 'Bearer realm="weir"' },
  });
}

/** Compares digests of equal length, so that neither content nor length shows in the time taken. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** For writes. Throws 403. An Origin is foreign unless it names the very authority that was called. */
export function checkOrigin(headers: IncomingHttpHeaders): void {
  const site = headers['sec-fetch-site'];
  const fromPage = site !== undefined && site !== 'same-origin' && site !== 'none';
  const { origin } = headers;
  const foreign = origin !== undefined && origin.toLowerCase() !== `http://${(headers.host ?? '').toLowerCase()}`;
  if (fromPage || foreign) throw new CallProblem(403, 'A web page of another origin may not do this.');
}

/** For writes, also those without a body: forms and simple requests of web pages cannot have these types. Throws 415. */
export function checkContentType(headers: IncomingHttpHeaders, kind: 'json' | 'config'): void {
  const type = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const allowed = kind === 'json' ? JSON_TYPES : [...JSON_TYPES, ...YAML_TYPES];
  if (!allowed.includes(type)) throw new CallProblem(415, `A write needs the content type ${kind === 'json' ? 'application/json' : 'application/yaml or application/json'}.`);
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding !== 'identity') throw new CallProblem(415, 'A body must not be compressed.');
}
