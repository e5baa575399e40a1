/**
 * Messages of the PostgreSQL protocol, version 3.0, as far as a probe needs
 * them: how they are framed, built and read. Pure. The numbers and letters are
 * those of the chapters "Message Formats" and "Error and Notice Message Fields"
 * of PostgreSQL's manual. What a backend gets wrong throws BadAnswer.
 */
import { createHash } from 'node:crypto';
import { BadAnswer, type Framing } from './talk-script.ts';

const PROTOCOL_VERSION = 3 << 16;
/** Type and length. */
const HEAD_BYTES = 5;
const MESSAGE_BYTES_MAX = 32 * 1024;

export interface PostgresMessage {
  /** One letter. */
  readonly type: string;
  readonly body: Buffer;
}

export interface PostgresError {
  /** SQLSTATE; '' in the form that predates protocol 3.0. */
  readonly code: string;
  readonly text: string;
}

export type AuthenticationRequest =
  | { readonly kind: 'ok' | 'cleartext' }
  | { readonly kind: 'md5'; readonly salt: Buffer }
  | { readonly kind: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'sasl-continue' | 'sasl-final'; readonly text: string }
  | { readonly kind: 'unknown'; readonly name: string };

/** Every message but the first: a letter, and a length that counts itself. */
export const messageFraming: Framing = (bytes) => {
  if (bytes.length === 0) return 0;
  if (!/[A-Za-z]/.test(typeOf(bytes))) throw new BadAnswer('does not speak the PostgreSQL protocol');
  if (bytes.length < HEAD_BYTES) return 0;
  const length = 1 + bytes.readUInt32BE(1);
  if (length < HEAD_BYTES) throw new BadAnswer('malformed answer: a message shorter than its head');
  if (length <= MESSAGE_BYTES_MAX) return bytes.length >= length ? length : 0;
  throw new BadAnswer(`answer is too large: a message of ${length} bytes`);
};

/**
 * The first message. A server that cannot even start a session still answers
 * in protocol 2.0: E and a text that ends with a zero byte, with no length. What
 * would be a length is four letters then, and far too large.
 */
export const firstMessageFraming: Framing = (bytes) => {
  if (bytes.length > 0 && !'RENv'.includes(typeOf(bytes))) throw new BadAnswer('does not speak the PostgreSQL protocol');
  if (!isOldError(bytes)) return messageFraming(bytes);
  const end = bytes.subarray(0, MESSAGE_BYTES_MAX).indexOf(0) + 1;
  if (end === 0 && bytes.length >= MESSAGE_BYTES_MAX) throw new BadAnswer('malformed answer: an error has no end');
  return end;
};

function isOldError(bytes: Buffer): boolean {
  return bytes.length >= HEAD_BYTES && typeOf(bytes) === 'E' && bytes.readUInt32BE(1) > MESSAGE_BYTES_MAX;
}

function typeOf(bytes: Buffer): string {
  return bytes.toString('latin1', 0, 1);
}

/** Of what one of the framings cut off. */
export function messageOf(bytes: Buffer): PostgresMessage {
  return { type: typeOf(bytes), body: bytes.subarray(HEAD_BYTES) };
}

export function firstMessageOf(bytes: Buffer): PostgresMessage | PostgresError {
  return isOldError(bytes) ? { code: '', text: bytes.toString('utf8', 1, bytes.length - 1) } : messageOf(bytes);
}

export function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Object.entries(parameters).flatMap(([name, value]) => [name, value]);
  const text = Buffer.from(`${body.join('\0')}\0\0`, 'utf8');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(head.length + text.length, 0);
  head.writeUInt32BE(PROTOCOL_VERSION, 4);
  return Buffer.concat([head, text]);
}

/** Asks whether the server goes on in TLS: one byte answers, S or N. */
export const tlsRequest: Buffer = (() => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(bytes.length, 0);
  bytes.writeUInt16BE(1234, 4);
  bytes.writeUInt16BE(5679, 6);
  return bytes;
})();

/** The same letter carries passwords, hashes of them, and SCRAM's answers. */
export function passwordMessage(text: string): Buffer {
  return message('p', Buffer.from(`${text}\0`, 'utf8'));
}

export function saslInitialMessage(mechanism: string, text: string): Buffer {
  const answer = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(answer.length);
  return message('p', Buffer.concat([Buffer.from(`${mechanism}\0`, 'latin1'), length, answer]));
}

export function saslMessage(text: string): Buffer {
  return message('p', Buffer.from(text, 'utf8'));
}

export function queryMessage(text: string): Buffer {
  return message('Q', Buffer.from(`${text}\0`, 'utf8'));
}

/** Without it the server logs, in its usual settings, that the client was lost. */
export const terminateMessage: Buffer = message('X', Buffer.alloc(0));

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(type, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

/** What authentication method md5 wants to see. */
export function md5Answer(user: string, password: string, salt: Buffer): string {
  const md5 = (...parts: readonly (string | Buffer)[]): string => parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest('hex');
  return `md5${md5(md5(password, user), salt)}`;
}

export function readAuthentication(body: Buffer): AuthenticationRequest {
  if (body.length < 4) throw new BadAnswer('malformed authentication request');
  const rest = body.subarray(4);
  const kind = body.readUInt32BE(0);
  switch (kind) {
    case 0:
      return { kind: 'ok' };
    case 3:
      return { kind: 'cleartext' };
    case 5:
      if (rest.length !== 4) throw new BadAnswer('malformed authentication request');
      return { kind: 'md5', salt: rest };
    case 10:
      return { kind: 'sasl', mechanisms: rest.toString('latin1').split('\0').filter((name) => name !== '') };
    case 11:
      return { kind: 'sasl-continue', text: rest.toString('utf8') };
    case 12:
      return { kind: 'sasl-final', text: rest.toString('utf8') };
    default:
      return { kind: 'unknown', name: { 2: 'Kerberos', 6: 'SCM', 7: 'GSSAPI', 9: 'SSPI' }[kind] ?? String(kind) };
  }
}

/** Of ErrorResponse: fields of a letter and a text, of which the code and the primary text are taken. */
export function readError(body: Buffer): PostgresError {
  let code = '';
  let text = '';
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at + 1);
    if (end === -1) throw new BadAnswer('malformed error');
    const field = body.toString('latin1', at, at + 1);
    if (field === 'C') code = body.toString('latin1', at + 1, end);
    if (field === 'M') text = body.toString('utf8', at + 1, end);
    at = end + 1;
  }
  if (!/^[0-9A-Z]{5}$/.test(code)) throw new BadAnswer('malformed error');
  return { code, text };
}

/** Of DataRow: the first column's text; null: NULL, or there are no columns. */
export function readFirstColumn(body: Buffer): string | null {
  if (body.length < 2) throw new BadAnswer('malformed row');
  if (body.readUInt16BE(0) === 0) return null;
  if (body.length < 6) throw new BadAnswer('malformed row');
  const length = body.readInt32BE(2);
  if (length === -1) return null;
  if (length < 0 || length > body.length - 6) throw new BadAnswer('malformed row');
  return body.toString('utf8', 6, 6 + length);
}
