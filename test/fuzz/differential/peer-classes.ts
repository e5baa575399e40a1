/**
 * What a peer made of the requests we sent it, against what was sent: each
 * difference by the name it has in docs/http-differences.md. Peers refuse some
 * requests that we pass; none may see a request more, or read one otherwise.
 */
import { METHODS } from 'node:http';
import type { Seen } from './peer-rig.ts';
import type { ReadRequest } from './reading.ts';

interface RefusalClass {
  readonly id: string;
  readonly peer: string;
  /** Why the peer saw nothing of this request. */
  applies(request: ReadRequest, input: string): boolean;
}

const valuesOf = ({ fields }: ReadRequest, name: string): string[] => fields.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value);

const refusals: readonly RefusalClass[] = [
  { id: 'node-unknown-method', peer: 'node', applies: ({ method }) => !METHODS.includes(method) },
  { id: 'node-expectation', peer: 'node', applies: (request) => valuesOf(request, 'expect').some((value) => !/^100-continue$/i.test(value)) },
  { id: 'nginx-method', peer: 'nginx', applies: ({ method }) => !/^[A-Z_-]+$/.test(method) },
  { id: 'nginx-empty-host', peer: 'nginx', applies: (request) => valuesOf(request, 'host').join() === '' },
  { id: 'nginx-asterisk', peer: 'nginx', applies: ({ target }) => target === '*' },
  { id: 'nginx-host-dots', peer: 'nginx', applies: (request) => valuesOf(request, 'host').join().includes('..') },
  // The recorder takes white space off, as the grammar says; what the client sent shows the tab.
  { id: 'nginx-tab', peer: 'nginx', applies: (_, input) => /\nhost:(?:[ \t]*\t|[^\r\n]*\t[ \t]*\r)/i.test(input) },
  { id: 'nginx-repeated-field', peer: 'nginx', applies: (request) => ONCE_FOR_NGINX.some((name) => valuesOf(request, name).length > 1) },
  { id: 'haproxy-name-length', peer: 'haproxy', applies: ({ fields }, input) => fields.some(([name]) => name.length > 255) || /\n0+[^\n]*\r\n(?:[^\n]*\n)*[^:\r\n]{256,}:/.test(input) },
  { id: 'haproxy-websocket', peer: 'haproxy', applies: (request) => valuesOf(request, 'upgrade').some((value) => /websocket/i.test(value)) && !valuesOf(request, 'sec-websocket-key').some((value) => value !== '') },
  { id: 'nginx-path', peer: 'nginx', applies: ({ target }) => leavesRoot(target) },
];

const ONCE_FOR_NGINX = ['authorization', 'expect', 'if-range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];

/** nginx decodes the path and refuses one that is badly encoded, has a NUL, or climbs above the root. */
function leavesRoot(target: string): boolean {
  const [path = ''] = target.split('?');
  if (/%(?![0-9A-Fa-f]{2})|%00/.test(path)) return true;
  let depth = 0;
  const decoded = path.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));
  for (const segment of decoded.split('/').filter((each) => each !== '' && each !== '.')) {
    depth += segment === '..' ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

/** Fields that a peer does not hand on to its recorder, though it read them. */
const hidden: readonly { id: string; peer: string; hides(name: string): boolean }[] = [
  { id: 'nginx-odd-names', peer: 'nginx', hides: (name) => /[^a-z0-9-]/.test(name) },
  { id: 'nginx-hop-fields', peer: 'nginx', hides: (name) => ['expect', 'upgrade', 'te'].includes(name) },
];

/** The peer's own words for framing and connection stand for ours; ids and ports are other ones for each listener. */
const NOT_COMPARED = new Set(['x-request-id', 'x-forwarded-port', 'connection', 'content-length', 'transfer-encoding']);

export const peerClassIds: readonly string[] = [...new Set([...refusals, ...hidden].map(({ id }) => id))];

/** Ids of all differences; one with a space is unexplained. */
export function classifyPeer(peer: string, sent: readonly ReadRequest[], seen: Seen, input: string): string[] {
  const found: string[] = [];
  if (seen.statuses.includes('stuck')) found.push(`unexplained: ${peer} never answered`);
  if (!seen.isCanaryNext) found.push(`unexplained: ${peer} did not see the next request as it was sent`);
  let at = 0;
  for (const request of sent) {
    const theirs = seen.requests[at];
    if (theirs === undefined || core(theirs) !== core(request)) {
      found.push(refusals.find((each) => each.peer === peer && each.applies(request, input))?.id ?? `unexplained: ${peer} did not see ${JSON.stringify(request)} (answered ${seen.statuses.join()}) but ${JSON.stringify(theirs)}`);
      continue;
    }
    at++;
    found.push(...compareFields(peer, request, theirs));
  }
  for (const extra of seen.requests.slice(at)) found.push(`unexplained: ${peer} saw what nobody sent: ${JSON.stringify(extra)}`);
  return found;
}

function core({ method, target, body }: ReadRequest): string {
  return JSON.stringify([method, target, body]);
}

function compareFields(peer: string, sent: ReadRequest, seen: ReadRequest): string[] {
  const found: string[] = [];
  const names = new Set([...sent.fields, ...seen.fields].map(([name]) => name.toLowerCase()).filter((name) => !NOT_COMPARED.has(name)));
  for (const name of names) {
    const [ours, theirs] = [valuesOf(sent, name), valuesOf(seen, name)];
    if (JSON.stringify(ours) === JSON.stringify(theirs)) continue;
    const explained = theirs.length === 0 ? hidden.find((each) => each.peer === peer && each.hides(name)) : undefined;
    found.push(explained?.id ?? `unexplained: ${peer} read ${name} as ${JSON.stringify(theirs)}, sent as ${JSON.stringify(ours)}`);
  }
  return found;
}
