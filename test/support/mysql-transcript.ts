/** What a MySQL says, as bytes: written from the protocol's documentation, for tests of what reads them. */

export const MYSQL_SCRAMBLE = Buffer.from('8 bytes:and twelve m');

export function mysqlPacket(sequence: number, ...parts: readonly (string | number | Buffer)[]): Buffer {
  const payload = Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))));
  const head = Buffer.alloc(4);
  head.writeUIntLE(payload.length, 0, 3);
  head[3] = sequence;
  return Buffer.concat([head, payload]);
}

/** What a MySQL 8 is able to do: everything but compression and TLS. */
const CAPABILITIES = 0xdfff_f7df;

export function mysqlGreeting({ plugin = 'mysql_native_password', capabilities = CAPABILITIES, version = 10 } = {}): Buffer {
  const caps = Buffer.alloc(4);
  caps.writeUInt32LE(capabilities);
  return mysqlPacket(0, version, '8.0.36\0', '\x0b\0\0\0', MYSQL_SCRAMBLE.subarray(0, 8), 0, caps.subarray(0, 2), 0xff, '\x02\0', caps.subarray(2), 21, Buffer.alloc(10), MYSQL_SCRAMBLE.subarray(8), 0, `${plugin}\0`);
}

export function mysqlOk(sequence: number): Buffer {
  return mysqlPacket(sequence, '\0\0\0\x02\0\0\0');
}

export function mysqlError(sequence: number, code: number, text: string): Buffer {
  return mysqlPacket(sequence, 0xff, code & 0xff, code >> 8, text);
}

export function mysqlSwitch(sequence: number, plugin: string): Buffer {
  return mysqlPacket(sequence, 0xfe, `${plugin}\0`, MYSQL_SCRAMBLE, 0);
}

/** A result of short texts, as the answer to a query; null: NULL. */
export function mysqlRows(columns: number, ...rows: readonly (readonly (string | null)[])[]): Buffer {
  let sequence = 1;
  const eof = (): Buffer => mysqlPacket(sequence++, 0xfe, '\0\0\x02\0');
  const definition = (): Buffer => mysqlPacket(sequence++, '\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x08\x81\0\0\0\0');
  const row = (values: readonly (string | null)[]): Buffer => mysqlPacket(sequence++, ...values.flatMap((value) => (value === null ? [0xfb] : [value.length, value])));
  return Buffer.concat([mysqlPacket(sequence++, columns), ...Array.from({ length: columns }, definition), eof(), ...rows.map(row), eof()]);
}

const welcome = Buffer.concat([mysqlGreeting(), mysqlOk(2)]);
const texts = (transcripts: readonly (readonly Buffer[])[]): string[] => transcripts.map((parts) => Buffer.concat(parts).toString('latin1'));

/** Whole conversations, latin1, that lead far into what reads them. */
export const mysqlTranscripts: readonly string[] = texts([
  [welcome, mysqlRows(2, ['0', '0'])],
  [welcome, mysqlRows(2, ['1', null])],
  [welcome, mysqlError(1, 1193, '#HY000x'), mysqlRows(1, ['0'])],
  [welcome, mysqlOk(1)],
  [welcome, mysqlPacket(1, 0xfb, 'x')],
  [mysqlGreeting(), mysqlSwitch(2, 'caching_sha2_password'), mysqlPacket(4, 1, 3), mysqlOk(5), mysqlRows(1, ['1'])],
  [mysqlGreeting({ plugin: 'caching_sha2_password' }), mysqlPacket(2, 1, 4), mysqlPacket(4, 1, 'no key')],
  [mysqlGreeting(), mysqlSwitch(2, 'client_ed25519'), mysqlError(4, 1045, '#28000no')],
  [mysqlGreeting({ capabilities: 0x8200 }), mysqlError(2, 1045, 'S3CRET')],
  [mysqlError(0, 1040, 'Too many connections')],
]);

/** What the search puts in. */
export const mysqlTokens: readonly string[] = [...texts([[mysqlGreeting()], [mysqlOk(1)], [mysqlOk(2)], [mysqlError(1, 1193, 'x')], [mysqlPacket(2, 0xfe)], [mysqlPacket(1, 1)], [mysqlPacket(1, 0xfe, '\0\0\0\0')]]), '\xfb', '\xfc', '\xfe', '\xff'];
