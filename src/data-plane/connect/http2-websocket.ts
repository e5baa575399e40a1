/**
 * WebSocket to a backend of HTTP/2 (RFC 8441): the handshake of HTTP/1.1 goes
 * up as an extended CONNECT (http2-request-block.ts), whose 2xx comes back as
 * the 101 that the exchange waits for. The key is between the client and us.
 */
import { hash } from 'node:crypto';
import { equalsWord, latin1 } from '../parse/bytes.ts';
import { FieldLines, scanFieldLines } from '../parse/field-lines.ts';
import { FIELD } from '../parse/field-names.ts';
import type { ResponseHead } from '../parse/response-head.ts';

const KEY_NAME = 'sec-websocket-key';
const ACCEPT_NAME = 'sec-websocket-accept';
/** RFC 6455 §1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64 (RFC 6455 §4.1). */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

const lines = new FieldLines();

/** The key of a request whose head bytes[0, end) begins with and that asks for a WebSocket; '': it asks for none, or not in order. */
export function webSocketKey(bytes: Buffer, end: number): string {
  if (!equalsWord(bytes, 0, 4, 'get ')) return '';
  if (scanFieldLines(bytes, bytes.indexOf(10) + 1, end, 0, lines) < 1) return '';
  const upgrade = lines.indexOf(FIELD.upgrade);
  if (upgrade === -1 || !equalsWord(bytes, lines.valueStart[upgrade]!, lines.valueEnd[upgrade]!, 'websocket')) return '';
  let key = '';
  for (let i = 0; i < lines.count; i++) {
    if (!equalsWord(bytes, lines.nameStart[i]!, lines.nameEnd[i]!, KEY_NAME)) continue;
    if (key !== '') return '';
    key = latin1(bytes, lines.valueStart[i]!, lines.valueEnd[i]!);
  }
  return KEY.test(key) ? key : '';
}

/** True if it is said anew for each connection (RFC 8441 §5). */
export function isKeyField(bytes: Buffer, start: number, end: number): boolean {
  return end - start === KEY_NAME.length && equalsWord(bytes, start, end, KEY_NAME);
}

/** The answer to a handshake of HTTP/1.1 with `key`, which has the fields of `head`, a 2xx. It has no body, so nothing of it says one. */
export function switchHead(head: ResponseHead, key: string): Buffer {
  const { bytes, fields } = head;
  const accept = hash('sha1', key + ACCEPT_SUFFIX, 'base64');
  const passed: string[] = [];
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id[i]!;
    if (id === FIELD.contentLength || id === FIELD.transferEncoding || equalsWord(bytes, fields.nameStart[i]!, fields.nameEnd[i]!, ACCEPT_NAME)) continue;
    passed.push(`${latin1(bytes, fields.nameStart[i]!, fields.valueEnd[i]!)}\r\n`);
  }
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${accept}\r\n${passed.join('')}\r\n`, 'latin1');
}
