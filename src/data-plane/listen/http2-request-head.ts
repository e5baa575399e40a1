/**
 * The head of a request of HTTP/2 in the form of HTTP/1.1, between its fields
 * (parse/http2-request-fields.ts) and the parser: the buffer it is kept in, its
 * end, once it is known what has come of its body, and its reading.
 */
import { randomBytes } from 'node:crypto';
import { CR, equalsWord, LF } from '../parse/bytes.ts';
import { FieldLines } from '../parse/field-lines.ts';
import { RequestFields } from '../parse/http2-request-fields.ts';
import { OutBytes } from '../parse/out-bytes.ts';
import { parseListedHead, parseRequestHead, type HeadLimits, type RequestHead } from '../parse/request-head.ts';

/** Room that a head has behind its fields for what closes it. */
const CLOSING_BYTES_MAX = 64 + 32;
/** `Sec-WebSocket-Key: `, 24 characters, CR LF. */
const KEY_LINE_LENGTH = 45;
/** Most heads fit in it: such buffers go round. */
const USUAL_BYTES = 2 * 1024;
const SPARE_MAX = 256;
const otherLines = new FieldLines();
/** Heads of nobody, kept for the next requests. */
const spare: Buffer[] = [];

/** Where the fields are written: in the head itself, if it is no larger than most. */
class HeadBytes extends OutBytes {
  /** For larger ones, while it is not in use. */
  #large: Buffer = Buffer.allocUnsafeSlow(4 * USUAL_BYTES);
  #isLarge = false;

  override reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    if (!this.#isLarge) this.#goOn();
    super.reserve(count);
  }

  #goOn(): void {
    this.#isLarge = true;
    this.bytes.copy(this.#large, 0, 0, this.length);
    giveHeadBack(this.bytes);
    this.bytes = this.#large;
  }

  /** What was written, with room for what closes it; from now on it is the caller's. */
  take(): Buffer {
    this.reserve(CLOSING_BYTES_MAX);
    const { bytes } = this;
    this.bytes = spare.pop() ?? Buffer.allocUnsafeSlow(USUAL_BYTES);
    if (!this.#isLarge) return bytes;
    this.#isLarge = false;
    this.#large = bytes;
    const head = Buffer.allocUnsafe(this.length + CLOSING_BYTES_MAX);
    bytes.copy(head, 0, 0, this.length);
    return head;
  }
}

const headBytes = new HeadBytes(USUAL_BYTES);

/** The block that was decoded last: one at a time in a thread. */
export const fields = new RequestFields(headBytes);

/** The head in `fields` with room for what closes it, and the key that the origin of a WebSocket is to answer. Its owner gives it to `giveHeadBack` in the end. */
export function keepHead(): Buffer {
  const head = headBytes.take();
  if (fields.isWebSocket) head.write(`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n`, headBytes.length, 'latin1');
  return head;
}

/** Length of what `keepHead` put. */
export function keptLength(): number {
  return fields.out.length + (fields.isWebSocket ? KEY_LINE_LENGTH : 0);
}

/** Nobody reads it any more. */
export function giveHeadBack(head: Buffer): void {
  if (head.length === USUAL_BYTES && spare.length < SPARE_MAX) spare.push(head);
}

/** Reads head[0, length), made of the block `serial`. While that is still the last one, the places of its lines are known. */
export function readHead(head: Buffer, length: number, serial: number, limits: HeadLimits, out: RequestHead): number {
  const isListed = serial === fields.serial;
  // Never those of a later block, which is still to be read itself.
  out.fields = isListed ? fields.lines : otherLines;
  return isListed ? parseListedHead(head, length, limits, out, fields.listedEnd) : parseRequestHead(head, 0, length, limits, out);
}

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
