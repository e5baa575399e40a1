/** The differences between our reading of a client's bytes and that of Node's own parser, each by the name it has in docs/http-differences.md. */
import { METHODS } from 'node:http';
import type { OurReading } from './our-reading.ts';
import type { Reading, ReadRequest } from './reading.ts';
import { stricterRules, whyStricter } from './stricter-rules.ts';

interface LooserClass {
  readonly id: string;
  /** `request`: the text of the request that we accept and Node does not. */
  applies(theirs: Reading, ours: ReadRequest, request: string): boolean;
}

const looserClasses: readonly LooserClass[] = [
  { id: 'node-unknown-method', applies: (theirs, { method }) => theirs.detail.startsWith('HPE_') && !METHODS.includes(method) },
  { id: 'node-minor-version', applies: (theirs, _, request) => theirs.detail === 'HPE_INVALID_VERSION' && /HTTP\/1\.[2-9]\r\n/.test(request) },
  { id: 'node-coding-tab', applies: (theirs, { fields }, request) => theirs.detail === 'HPE_INVALID_TRANSFER_ENCODING' && /\ntransfer-encoding:[ \t]*chunked[ \t]*\t[ \t]*\r/i.test(request) && fields.some(([name]) => name.toLowerCase() === 'transfer-encoding') },
  { id: 'node-chunk-extension', applies: (theirs, { fields }, request) => theirs.detail.startsWith('HPE_') && fields.some(([name]) => name.toLowerCase() === 'transfer-encoding') && hasOddExtension(request) },
];

/** A chunk line whose extension has white space, or is none of RFC 9112 §7.1.1's grammar. */
function hasOddExtension(request: string): boolean {
  const extensions = [...request.matchAll(/\n[0-9a-f]+(;[^\r\n]*)/gi)].map((match) => match[1]!);
  return extensions.some((extension) => !/^(?:;[\w!#$%&'*+\-.^`|~]+(?:=(?:[\w!#$%&'*+\-.^`|~]+|"(?:[^"\\]|\\.)*"))?)+$/.test(extension));
}

/** Both read nothing more, but for different reasons: nothing is passed on either way. */
export const NOTHING_PASSED = 'nothing-passed';

export const nodeClassIds: readonly string[] = [...stricterRules.map(({ id }) => id), ...looserClasses.map(({ id }) => id), NOTHING_PASSED, 'node-upgrade-with-body', 'node-proxy-connection', 'node-close-and-keep-alive'];

/** The class of the difference; null: there is none. A text with a space is an unexplained one. */
export function classifyNode(input: Buffer, ours: OurReading, theirs: Reading): string | null {
  const text = input.toString('latin1');
  const common = Math.min(ours.requests.length, theirs.requests.length);
  for (let i = 0; i < common; i++) {
    const [our, their] = [ours.requests[i]!, theirs.requests[i]!];
    if (show(our) === show(their)) continue;
    // Node hands the connection over with the head, and the body with it.
    if (theirs.end === 'switched' && i === theirs.requests.length - 1 && show({ ...our, body: '' }) === show(their)) return 'node-upgrade-with-body';
    return `unexplained: request ${i} read as ${show(our)} and as ${show(their)}`;
  }
  if (theirs.requests.length > common) {
    const why = ours.end === 'refused' ? whyStricter(text.slice(ours.stoppedAt)) : null;
    if (ours.detail === 'close' && /^proxy-connection:/im.test(text)) return 'node-proxy-connection';
    if (ours.detail === 'close' && /^connection:[^\n]*close/im.test(text) && /^connection:[^\n]*keep-alive/im.test(text)) return 'node-close-and-keep-alive';
    return why ?? `unexplained: we stopped (${ours.end} ${ours.detail}) where Node read ${show(theirs.requests[common]!)}`;
  }
  if (ours.requests.length > common) {
    const request = ours.requests[common]!;
    if (theirs.end === 'switched') return 'node-upgrade-with-body';
    return looserClasses.find((each) => each.applies(theirs, request, text))?.id ?? `unexplained: Node stopped (${theirs.end} ${theirs.detail}) where we read ${show(request)}`;
  }
  return ours.end === theirs.end ? null : NOTHING_PASSED;
}

function show(request: ReadRequest): string {
  return JSON.stringify([request.method, request.target, request.fields, request.body]);
}
