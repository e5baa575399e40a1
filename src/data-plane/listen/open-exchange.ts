/** From a parsed head to what the pipeline and the answer are held to. */
import type { Exchange } from '../exchange.ts';
import { latin1 } from '../parse/bytes.ts';
import { FIELD } from '../parse/field-names.ts';
import type { RequestHead } from '../parse/request-head.ts';
import { clientBehind } from '../route/head-query.ts';
import type { AnswerTerms } from './http1-answer.ts';

/** Fills `x` (its listener is set) and `terms` for the request whose head ends at `bodyStart`. */
export function openExchange(x: Exchange, terms: AnswerTerms, head: RequestHead, bodyStart: number): void {
  const { trusted, spec } = x.listener;
  x.reset();
  x.requestBytes = head.bytes;
  x.requestStart = head.methodStart;
  x.requestEnd = bodyStart;
  x.method = head.method;
  x.hasBody = head.chunked || head.contentLength > 0;
  x.isBodyComplete = !x.hasBody;
  x.isTrusted = !trusted.isEmpty && trusted.has(x.peerAddress);
  x.clientAddress = x.isTrusted ? clientBehind(head, x.peerAddress, trusted) : x.peerAddress;
  x.wantsUpgrade = head.upgrade && !x.hasBody && !isH2c(head);
  x.expectsContinue = head.expectContinue;
  terms.minorVersion = head.minorVersion;
  terms.method = head.method;
  terms.via = spec.via;
  terms.edits = null;
  terms.closes = head.close;
}

/** The lines that name an untrusted client, the same for all its requests. */
export function forwardedLines(peerAddress: string, localPort: number): Buffer {
  return Buffer.from(`X-Forwarded-For: ${peerAddress}\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: ${localPort}\r\n`, 'latin1');
}

/** An upgrade to cleartext HTTP/2 would carry requests past every route (RFC 9113 §3.1 dropped it). */
function isH2c(head: RequestHead): boolean {
  const index = head.fields.indexOf(FIELD.upgrade);
  return latin1(head.bytes, head.fields.valueStart[index]!, head.fields.valueEnd[index]!).toLowerCase().includes('h2c');
}
