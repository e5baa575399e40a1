/**
 * What a TLS ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2) asks for, as far
 * as routes ask: the server's name and the protocols. Pure; the message is
 * whole when it comes here (hello-records.ts takes it out of its records), and
 * nothing is altered: what was read is passed on as it came.
 *
 * With Encrypted ClientHello the outer name is what is seen, and what routes:
 * it is the one the client-facing server is to be found by. GREASE values
 * (RFC 8701) stand for nothing and are passed over, as is every extension not
 * named here. A hello whose structure is broken, or that says one thing twice,
 * is refused: the server behind us could read it otherwise.
 */
import { latin1 } from './bytes.ts';

/** The handshake message, its header included. Hellos in use have 200 bytes to 4 KiB; two post-quantum shares make 2 of them. */
export const HELLO_BYTES_MAX = 16 * 1024;

/** Only so many protocols of a client's list are looked at. */
const PROTOCOLS_MAX = 32;

const EXTENSION = { serverName: 0, alpn: 16 } as const;

export class ClientHello {
  /** In lower case, without a final dot; '': none that could be a name. */
  serverName = '';
  /** There was a name, and it cannot be one: it matches no pattern. */
  isNameInvalid = false;
  /** In the client's order, GREASE left out. */
  readonly protocols: string[] = [];

  reset(): void {
    this.serverName = '';
    this.isNameInvalid = false;
    this.protocols.length = 0;
  }
}

const VERSION_AND_RANDOM_BYTES = 34;
/** Of the message's type and length. */
export const HANDSHAKE_HEADER_BYTES = 4;

/** bytes[start, end) is the whole message. False: its structure is broken. */
export function parseClientHello(bytes: Buffer, start: number, end: number, into: ClientHello): boolean {
  into.reset();
  let at = start + HANDSHAKE_HEADER_BYTES + VERSION_AND_RANDOM_BYTES;
  at = skipVector(bytes, at, end, 1, 0, 32); // session id
  at = skipVector(bytes, at, end, 2, 2, 0xfffe); // cipher suites
  at = skipVector(bytes, at, end, 1, 1, 255); // compression methods
  if (at === -1) return false;
  // Before TLS 1.3 a hello may end here.
  if (at === end) return true;
  const extensions = at + 2;
  if (skipVector(bytes, at, end, 2, 0, 0xffff) !== end) return false;
  return parseExtensions(bytes, extensions, end, into);
}

/** Position after a vector with a length of `lengthBytes`; -1 if it is shorter or longer than allowed, or `at` is -1. */
function skipVector(bytes: Buffer, at: number, end: number, lengthBytes: 1 | 2, min: number, max: number): number {
  if (at === -1 || at + lengthBytes > end) return -1;
  const length = lengthBytes === 1 ? bytes[at]! : bytes.readUInt16BE(at);
  const next = at + lengthBytes + length;
  return length < min || length > max || next > end ? -1 : next;
}

function parseExtensions(bytes: Buffer, start: number, end: number, into: ClientHello): boolean {
  let hasName = false;
  let hasProtocols = false;
  for (let at = start; at < end; ) {
    if (at + 4 > end) return false;
    const type = bytes.readUInt16BE(at);
    const from = at + 4;
    at = from + bytes.readUInt16BE(at + 2);
    if (at > end) return false;
    if (type === EXTENSION.serverName) {
      if (hasName || !parseServerNames(bytes, from, at, into)) return false;
      hasName = true;
    } else if (type === EXTENSION.alpn) {
      if (hasProtocols || !parseProtocols(bytes, from, at, into)) return false;
      hasProtocols = true;
    }
  }
  return true;
}

const HOST_NAME = 0;

/** RFC 6066 §3: a list of names, each of a type; the first host name counts, and there may be no second. */
function parseServerNames(bytes: Buffer, start: number, end: number, into: ClientHello): boolean {
  if (skipVector(bytes, start, end, 2, 1, 0xffff) !== end) return false;
  let hasHost = false;
  for (let at = start + 2; at < end; ) {
    const type = bytes[at]!;
    const next = skipVector(bytes, at + 1, end, 2, 1, 0xffff);
    if (next === -1) return false;
    if (type === HOST_NAME) {
      if (hasHost) return false;
      hasHost = true;
      into.serverName = hostName(bytes, at + 3, next);
      into.isNameInvalid = into.serverName === '';
    }
    at = next;
  }
  return true;
}

const NAME_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;

/** Letters, digits, "-", and "_", which is no host name's but is in use; '' if it cannot be a name. */
function hostName(bytes: Buffer, start: number, end: number): string {
  const nameEnd = bytes[end - 1] === 46 ? end - 1 : end;
  if (nameEnd === start || nameEnd - start > NAME_LENGTH_MAX) return '';
  let labelStart = start;
  for (let i = start; i <= nameEnd; i++) {
    const byte = i === nameEnd ? 46 : bytes[i]!;
    if (byte === 46) {
      if (i === labelStart || i - labelStart > LABEL_LENGTH_MAX) return '';
      labelStart = i + 1;
      continue;
    }
    const lower = byte | 32;
    if (!((lower >= 97 && lower <= 122 && byte >= 65) || (byte >= 48 && byte <= 57) || byte === 45 || byte === 95)) return '';
  }
  return latin1(bytes, start, nameEnd).toLowerCase();
}

/** RFC 7301 §3.1: a list of names, none of them empty. */
function parseProtocols(bytes: Buffer, start: number, end: number, into: ClientHello): boolean {
  if (skipVector(bytes, start, end, 2, 2, 0xffff) !== end) return false;
  for (let at = start + 2; at < end; ) {
    const next = skipVector(bytes, at, end, 1, 1, 255);
    if (next === -1) return false;
    if (into.protocols.length < PROTOCOLS_MAX && !isGrease(bytes, at + 1, next)) into.protocols.push(latin1(bytes, at + 1, next));
    at = next;
  }
  return true;
}

/** {0x0A,0x0A}, {0x1A,0x1A} … {0xFA,0xFA} (RFC 8701 §2). */
function isGrease(bytes: Buffer, start: number, end: number): boolean {
  return end - start === 2 && (bytes[start]! & 15) === 10 && bytes[start] === bytes[start + 1];
}
