/** A client's bytes as our connection reads them: heads and bodies, one after the other. */
import { RequestBody } from '../../../src/data-plane/listen/http1-request-body.ts';
import { INCOMPLETE, latin1 } from '../../../src/data-plane/parse/bytes.ts';
import { parseRequestHead, RequestHead } from '../../../src/data-plane/parse/request-head.ts';
import type { Reading, ReadRequest } from './reading.ts';

const LIMITS = { headerBytesMax: 32_768, headerCountMax: 128 };
const head = new RequestHead();
const body = new RequestBody();

export interface OurReading extends Reading {
  /** Where the request begins that ended the reading; the input's length if none did. */
  readonly stoppedAt: number;
}

/** `switches`: an upgrade that is asked for is agreed to; otherwise the connection goes on. */
export function readAsWeDo(input: Buffer, switches = true): OurReading {
  const requests: ReadRequest[] = [];
  let at = 0;
  const end = (how: Reading['end'], detail = ''): OurReading => ({ requests, end: how, detail, stoppedAt: at });
  while (at < input.length) {
    const bodyStart = parseRequestHead(input, at, input.length, LIMITS, head);
    if (bodyStart === INCOMPLETE) return end(/^[\r\n]*$/.test(latin1(input, at, input.length)) ? 'whole' : 'incomplete', 'head');
    if (bodyStart < INCOMPLETE) return end('refused', String(bodyStart));
    const request = { method: latin1(input, head.methodStart, head.methodEnd), target: latin1(input, head.targetStart, head.targetEnd), fields: fieldsOf(), body: '' };
    const { close, upgrade } = head;
    const hasBody = head.chunked || head.contentLength > 0;
    const next = hasBody ? readBody(input, bodyStart) : { content: '', end: bodyStart };
    if (next === 'refused' || next === 'incomplete') return end(next, 'body');
    requests.push({ ...request, body: next.content });
    at = next.end;
    if (switches && upgrade && !hasBody) return end('switched');
    if (close) return end('whole', 'close');
  }
  return end('whole');
}

function fieldsOf(): [string, string][] {
  const { bytes, fields } = head;
  return Array.from({ length: fields.count }, (_, i) => [latin1(bytes, fields.nameStart[i]!, fields.nameEnd[i]!), latin1(bytes, fields.valueStart[i]!, fields.valueEnd[i]!)]);
}

/** The framing we pass on, taken off again. */
function readBody(input: Buffer, bodyStart: number): { content: string; end: number } | 'refused' | 'incomplete' {
  const isChunked = head.chunked;
  body.open(head, 0, LIMITS.headerBytesMax);
  // Bytes may be moved within what is taken.
  const rest = Buffer.from(input.subarray(bodyStart));
  const stopped = body.take(rest, 0, rest.length);
  if (body.problem !== null) return 'refused';
  if (!body.isDone) return 'incomplete';
  const passed = body.bytes.toString('latin1', body.start, body.end);
  return { content: isChunked ? contentOf(passed) : passed, end: bodyStart + stopped };
}

/** Of canonical chunks. */
function contentOf(chunks: string): string {
  let content = '';
  for (let at = 0; ; ) {
    const lineEnd = chunks.indexOf('\r\n', at);
    const size = parseInt(chunks.slice(at, lineEnd), 16);
    if (size === 0) return content;
    content += chunks.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 4 + size;
  }
}
