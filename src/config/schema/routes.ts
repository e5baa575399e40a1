/** A route: what it matches, what becomes of the request. */
import { z } from 'zod';
import { hostNameFault } from './addresses.ts';
import { headerEdits } from './header-edits.ts';
import { rateLimit } from './rate-limit.ts';
import { retry } from './retry.ts';
import { choice, duration, name, text, whole } from './leaves.ts';
import { match, pathFault, tcpMatch, udpMatch } from './match.ts';
import { Fault, leaf, note } from './notes.ts';
import { broken, exactlyOne, notBeside } from './rules.ts';

const pathText = text('a path such as /v2', pathFault);

/** For Host and Location: a name or a literal address, with or without a port. */
const authority = text('a host, with or without a port', (value) => {
  const parts = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::([0-9]{1,5}))?$/.exec(value);
  if (parts === null || Number(parts[2] ?? 1) > 65535) return new Fault('is not a host');
  return parts[1]!.startsWith('[') || hostNameFault(`${parts[1]}.x`) === null ? null : new Fault('is not a host name');
});
const hostOnly = text('a host without port', (value) => {
  if (/^\[[0-9A-Fa-f:.]+\]$/.test(value)) return null;
  if (/:[0-9]+$/.test(value)) return new Fault('has a port', { expected: 'the port under the key port' });
  return hostNameFault(`${value}.x`) === null ? null : new Fault('is not a host name');
});
const url = text('a whole URL such as https://www.example.com/', (value) =>
  /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/i.test(value) && URL.canParse(value) ? null : new Fault('is not a whole URL'),
);

const rewrite = z
  .strictObject({
    prefix: pathText.optional().describe('Replaces the prefix that the route matched.'),
    path: pathText.optional().describe('Replaces the whole path; the query stays.'),
    host: authority.optional().describe('Replaces Host.'),
  })
  .check(notBeside('path', 'prefix'));

const REDIRECT_STATUS: readonly number[] = [301, 302, 303, 307, 308];
const redirectStatus = leaf<number, number>(z.literal(REDIRECT_STATUS), ['number'], '301, 302, 303, 307 or 308', (value) => (REDIRECT_STATUS.includes(value) ? value : new Fault('is not a redirect')));

const redirect = z
  .strictObject({
    to: url.optional().describe('A whole URL. Without it, the parts below change the URL of the request.'),
    scheme: choice(['http', 'https']).optional().describe('Scheme of the new URL.'),
    host: hostOnly.optional().describe('Host of the new URL.'),
    port: whole(1, 65535).optional().describe('Port of the new URL.'),
    path: pathText.optional().describe('Whole path of the new URL.'),
    prefix: pathText.optional().describe('Replaces the prefix that the route matched.'),
    status: redirectStatus.prefault(302).describe('301, 302, 303, 307 or 308.'),
  })
  .check(notBeside('to', 'scheme', 'host', 'port', 'path', 'prefix'), notBeside('path', 'prefix'), (context) => {
    const { status: _, ...parts } = context.value;
    if (Object.values(parts).every((part) => part === undefined)) broken(context, [], 'leads nowhere new', { expected: 'to, or one of scheme, host, port, path, prefix' });
  });

const respond = z
  .strictObject({
    status: whole(200, 599).prefault(200).describe('Status of the answer.'),
    body: text('text').prefault('').describe('Body of the answer, as text/plain unless responseHeaders sets another type.'),
  })
  .check((context) => {
    const { status, body } = context.value;
    if (body !== '' && (status === 204 || status === 205 || status === 304)) broken(context, ['body'], `cannot go with status ${status}`, { expected: 'no body' });
  });

const timeouts = z.strictObject({
  response: duration({ zero: true }).prefault('60s').describe('From the request sent to the head of the answer; then 504.'),
  idle: duration({ zero: true }).prefault('5m').describe('Silence in the body of the answer; then the connection is cut.'),
  total: duration({ zero: true }).prefault(0).describe('The whole exchange. 0: no limit.'),
});

const poolName = text('the name of a pool');

export const route = note(
  z
    .strictObject({
      name: name().optional().describe('Label in logs and metrics, unique in its listener. Absent: host and path of its match.'),
      match: match.prefault({}).describe('What a request must have; all keys must hold, of a list one entry. Absent: every request.'),
      pool: poolName.optional().describe('Forward to this pool. Exactly one of pool, redirect and respond stands in a route.'),
      redirect: redirect.optional().describe('Answer with a redirect; the query is kept.'),
      respond: respond.optional().describe('Answer at once.'),
      rewrite: rewrite.optional().describe('Change path or Host on the way to the backend.'),
      requestHeaders: headerEdits('request').optional().describe('Edits of the request, in this order: remove, set, add.'),
      responseHeaders: headerEdits('response').optional().describe('Edits of the answer, likewise.'),
      timeouts: timeouts.prefault({}).describe('Limits in time, to 100 ms; 0 is no limit.'),
      rateLimit: rateLimit.optional().describe('How many requests of one key the route takes; the others are answered 429. Absent: no limit.'),
      retry: retry.optional().describe('After which failures a request is sent again, besides those that always are. Absent: none.'),
    })
    .check(exactlyOne('pool', 'redirect', 'respond'), (context) => {
      const { rewrite: change, redirect: target, match: { path }, pool } = context.value;
      if (context.value.retry !== undefined && pool === undefined) broken(context, ['retry'], 'sends nothing again that goes to no pool', { expected: 'a route with pool' });
      if (change !== undefined && pool === undefined) broken(context, ['rewrite'], 'changes a request that goes to no pool', { expected: 'a route with pool' });
      const at = change?.prefix !== undefined ? ['rewrite', 'prefix'] : target?.prefix !== undefined ? ['redirect', 'prefix'] : null;
      if (at !== null && path?.some((pattern) => pattern.kind === 'regex')) broken(context, at, 'replaces a prefix, and this route matches by regex', { expected: 'path instead of prefix' });
    }),
  { later: ['split', 'scatter', 'mirror', 'hedge'] },
);

export const tcpRoute = note(
  z.strictObject({
    name: name().optional().describe('Label in logs and metrics, unique in its listener. Absent: the sni of its match.'),
    match: tcpMatch.prefault({}).describe('What a connection must have; all keys must hold, of a list one entry. Absent: every connection.'),
    pool: poolName.describe('Forward to this pool.'),
  }),
  { later: ['split'] },
);

export const udpRoute = note(
  z.strictObject({
    name: name().optional().describe('Label in logs and metrics, unique in its listener.'),
    match: udpMatch.prefault({}).describe('Which clients it takes. Absent: every client.'),
    pool: poolName.describe('Forward to this pool.'),
  }),
  { later: ['split'] },
);

/** What a route has that says nothing of its timeouts: for the one that a listener's `pool` is short for. */
export const routeTimeouts = timeouts.parse({});
