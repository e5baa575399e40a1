/**
 * Packets of the MySQL protocol as far as a probe needs them: how they are
 * framed, built and read. Pure. Numbers are those of "Client/Server Protocol" in
 * MySQL's source documentation and in MariaDB's knowledge base; where the two
 * servers differ it is said. What a backend gets wrong throws BadAnswer.
 */
import { createHash, createPublicKey, publicEncrypt, constants, type KeyObject } from 'node:crypto';
import { BadAnswer, type Framing } from './talk-script.ts';

/** Length and sequence number. */
const HEAD_BYTES = 4;
const PACKET_BYTES_MAX = 32 * 1024;
const SCRAMBLE_BYTES = 20;
const PROTOCOL_VERSION = 10;
/** utf8mb4_general_ci. */
const CHARACTER_SET = 45;
/** MySQL makes its key with 2,048 bits. One more than twice as long, or with an odd exponent, would cost this thread milliseconds. */
const KEY_BITS_MAX = 4096;
const KEY_EXPONENT_MAX = 0xffff_ffffn;

const LONG_PASSWORD = 1 << 0;
const CONNECT_WITH_DB = 1 << 3;
const PROTOCOL_41 = 1 << 9;
/** Of the server: it takes TLS. Of us: what follows is in it. */
const TLS = 1 << 11;
const TRANSACTIONS = 1 << 13;
const SECURE_CONNECTION = 1 << 15;
const PLUGIN_AUTH = 1 << 19;

export const NATIVE_PASSWORD = 'mysql_native_password';
export const CACHING_SHA2 = 'caching_sha2_password';

export const OK = 0x00;
export const MORE = 0x01;
export const LOCAL_FILE = 0xfb;
export const EOF = 0xfe;
export const ERR = 0xff;
const NULL = 0xfb;
/** What starts with 0xfe and is longer is a row of more than 16 MiB. */
const EOF_BYTES_MAX = 8;

export interface MysqlPacket {
  readonly sequence: number;
  readonly payload: Buffer;
}

export interface Handshake {
  /** What passwords are hashed with. */
  readonly scramble: Buffer;
  readonly plugin: string;
  readonly takesPlugins: boolean;
  readonly takesTls: boolean;
}

export interface MysqlError {
  readonly code: number;
  readonly text: string;
}

export const packetFraming: Framing = (bytes) => {
  if (bytes.length < HEAD_BYTES) return 0;
  const length = HEAD_BYTES + bytes.readUIntLE(0, 3);
  if (length > PACKET_BYTES_MAX) throw new BadAnswer(`answer is too large: a message of ${length} bytes`);
  return bytes.length >= length ? length : 0;
};

/** The first one is small, has number 0, and is a greeting or an error: what others greet with is not. */
export const firstPacketFraming: Framing = (bytes) => {
  if (bytes.length < HEAD_BYTES) return 0;
  const length = bytes.readUIntLE(0, 3);
  const kind = bytes[HEAD_BYTES] ?? PROTOCOL_VERSION;
  if (bytes[3] !== 0 || length === 0 || length > PACKET_BYTES_MAX - HEAD_BYTES || (kind !== PROTOCOL_VERSION && kind !== ERR)) throw new BadAnswer('does not speak the MySQL protocol');
  return packetFraming(bytes);
};

/** Of what one of the framings cut off. */
export function packetOf(bytes: Buffer): MysqlPacket {
  return { sequence: bytes[3]!, payload: bytes.subarray(HEAD_BYTES) };
}

export function packet(sequence: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntLE(payload.length, 0, 3);
  head[3] = sequence & 0xff;
  return Buffer.concat([head, payload]);
}

export function queryPacket(text: string): Buffer {
  return packet(0, Buffer.concat([Buffer.from([3]), Buffer.from(text, 'utf8')]));
}

/** Without it the server counts an aborted client. */
export const quitPacket: Buffer = packet(0, Buffer.from([1]));

/** Reads a payload from its start; what is not there is malformed. */
export class PacketReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(payload: Buffer) {
    this.#bytes = payload;
  }

  get restBytes(): number {
    return this.#bytes.length - this.#at;
  }

  take(count: number): Buffer {
    if (!(count <= this.restBytes)) throw new BadAnswer('malformed answer: a packet is too short');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  uint(bytes: 1 | 2 | 3 | 4): number {
    return this.take(bytes).readUIntLE(0, bytes);
  }

  /** Up to a zero byte, or the end. */
  text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.take(end === -1 ? this.restBytes : end - this.#at).toString('utf8');
    if (end !== -1) this.#at++;
    return text;
  }

  /** A number of one to nine bytes; null: NULL. */
  length(): number | null {
    const first = this.uint(1);
    if (first < NULL) return first;
    if (first === NULL) return null;
    if (first === 0xfc) return this.uint(2);
    if (first === 0xfd) return this.uint(3);
    throw new BadAnswer('malformed answer: a length that nothing here can have');
  }
}

export function readHandshake(payload: Buffer): Handshake {
  const reader = new PacketReader(payload);
  if (reader.uint(1) !== PROTOCOL_VERSION) throw new BadAnswer('does not speak the MySQL protocol');
  reader.text(); // its version
  reader.take(4); // number of the connection
  const start = reader.take(8);
  reader.take(1);
  const low = reader.uint(2);
  reader.take(3); // character set, status
  const capabilities = low + 0x10000 * reader.uint(2);
  reader.take(1 + 10); // length of the scramble, reserved
  if ((capabilities & PROTOCOL_41) === 0 || (capabilities & SECURE_CONNECTION) === 0) throw new BadAnswer('is older than MySQL 4.1');
  const scramble = Buffer.concat([start, reader.take(SCRAMBLE_BYTES - start.length)]);
  reader.take(Math.min(1, reader.restBytes));
  const takesPlugins = (capabilities & PLUGIN_AUTH) !== 0;
  return { scramble, plugin: takesPlugins ? reader.text() : NATIVE_PASSWORD, takesPlugins, takesTls: (capabilities & TLS) !== 0 };
}

export interface Login {
  readonly user: string;
  readonly database: string | null;
  readonly plugin: string;
  readonly token: Buffer;
  readonly takesPlugins: boolean;
  /** It is said in TLS. */
  readonly isSecure: boolean;
}

type Terms = Pick<Login, 'database' | 'takesPlugins' | 'isSecure'>;

/** What is said first of all, in TLS or before it: the same both times. */
function responseHead({ database, takesPlugins, isSecure }: Terms): Buffer {
  const head = Buffer.alloc(32);
  const always = LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION;
  head.writeUInt32LE(always | (database === null ? 0 : CONNECT_WITH_DB) | (takesPlugins ? PLUGIN_AUTH : 0) | (isSecure ? TLS : 0), 0);
  head.writeUInt32LE(PACKET_BYTES_MAX, 4);
  head[8] = CHARACTER_SET;
  return head;
}

/** Names nobody yet: TLS follows. */
export function tlsRequest(terms: Omit<Terms, 'isSecure'>): Buffer {
  return responseHead({ ...terms, isSecure: true });
}

export function handshakeResponse({ user, database, plugin, token, takesPlugins, isSecure }: Login): Buffer {
  const head = responseHead({ database, takesPlugins, isSecure });
  const texts = [Buffer.from(`${user}\0`, 'utf8'), Buffer.from([token.length]), token];
  if (database !== null) texts.push(Buffer.from(`${database}\0`, 'utf8'));
  if (takesPlugins) texts.push(Buffer.from(`${plugin}\0`, 'latin1'));
  return Buffer.concat([head, ...texts]);
}

/** Of AuthSwitchRequest; one without a name, from before plug-ins, asks for the hash of MySQL 3. */
export function readAuthSwitch(payload: Buffer): { readonly plugin: string; readonly scramble: Buffer } {
  const reader = new PacketReader(payload.subarray(1));
  const plugin = reader.restBytes === 0 ? 'mysql_old_password' : reader.text();
  return { plugin, scramble: reader.take(Math.min(reader.restBytes, SCRAMBLE_BYTES)) };
}

/** Before the handshake an error has no SQLSTATE, later it has. */
export function readError(payload: Buffer): MysqlError {
  const reader = new PacketReader(payload.subarray(1));
  const code = reader.uint(2);
  const text = reader.take(reader.restBytes).toString('utf8');
  return { code, text: text.replace(/^#[0-9A-Z]{5}/, '') };
}

export function isEof(payload: Buffer): boolean {
  return payload[0] === EOF && payload.length <= EOF_BYTES_MAX;
}

export function readRow(payload: Buffer, columns: number): (string | null)[] {
  const reader = new PacketReader(payload);
  return Array.from({ length: columns }, () => {
    const length = reader.length();
    return length === null ? null : reader.take(length).toString('utf8');
  });
}

/** What a plug-in wants to see of a password; null: it is none that is spoken here. */
export function passwordToken(plugin: string, password: string, scramble: Buffer): Buffer | null {
  if (plugin !== NATIVE_PASSWORD && plugin !== CACHING_SHA2) return null;
  if (password === '') return Buffer.alloc(0);
  if (plugin === NATIVE_PASSWORD) {
    const once = hash('sha1', password);
    return xor(once, hash('sha1', scramble, hash('sha1', once)));
  }
  const once = hash('sha256', password);
  return xor(once, hash('sha256', hash('sha256', once), scramble));
}

function hash(algorithm: string, ...parts: readonly (string | Buffer)[]): Buffer {
  return parts.reduce((sum, part) => sum.update(part), createHash(algorithm)).digest();
}

function xor(bytes: Buffer, mask: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, i) => byte ^ mask[i % mask.length]!));
}

/** The password for the eyes of who holds the key's other half: what caching_sha2_password takes over a connection in clear. */
export function encryptedPassword(password: string, scramble: Buffer, pem: Buffer): Buffer {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new BadAnswer('malformed answer: its public key');
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== 'rsa' || modulusLength > KEY_BITS_MAX || publicExponent > KEY_EXPONENT_MAX || scramble.length === 0) throw new BadAnswer('malformed answer: its public key');
  try {
    return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, xor(Buffer.from(`${password}\0`, 'utf8'), scramble));
  } catch {
    throw new BadAnswer('its public key is too short for the password');
  }
}
