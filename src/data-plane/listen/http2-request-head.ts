/** The end of a request's head in the form of HTTP/1.1, once it is known what has come of its body. */
import { CR, equalsWord, LF } from '../parse/bytes.ts';

/** Room that a head has behind its fields for what is put here. */
export const CLOSING_BYTES_MAX = 64 + 32;

interface OpenRequest {
  readonly isRemoteEnded: boolean;
  readonly isWebSocket: boolean;
  /** The client said a length. */
  readonly hasLength: boolean;
  readonly upload: { readonly dataBytes: number };
}

/** Without a length a body goes in chunks, or with the length of what came if it is all there. Returns the length of the head. */
export function closeRequestHead(head: Buffer, length: number, request: OpenRequest): number {
  const { isRemoteEnded, isWebSocket, hasLength, upload } = request;
  let framing = '';
  if (!hasLength && !isWebSocket) {
    if (!isRemoteEnded) framing = 'Transfer-Encoding: chunked\r\n';
    else if (upload.dataBytes > 0 || mostlyHasBody(head)) framing = `Content-Length: ${upload.dataBytes}\r\n`;
  }
  let at = framing === '' ? length : length + head.write(framing, length, 'latin1');
  head[at++] = CR;
  head[at++] = LF;
  return at;
}

const LETTER_P = 80;

/** Of these an origin may ask for a length though there is no body (RFC 9110 §8.6). */
function mostlyHasBody(head: Buffer): boolean {
  return head[0] === LETTER_P && ['post ', 'put ', 'patch '].some((word) => equalsWord(head, 0, word.length, word));
}
