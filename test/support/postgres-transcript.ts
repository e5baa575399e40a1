/** What a PostgreSQL says, as bytes: written from the protocol's documentation, for tests of what reads them. */

export function postgresMessage(type: string, ...parts: readonly (string | number | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'number' ? int32(part) : Buffer.from(part))));
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(4 + body.length), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function postgresError(code: string, text: string, severity = 'FATAL'): Buffer {
  return postgresMessage('E', `S${severity}\0V${severity}\0C${code}\0M${text}\0Fpostmaster.c\0L2357\0RProcessStartupPacket\0\0`);
}

/** From an authenticated user to a session that is ready. */
export const postgresBegin: Buffer = Buffer.concat([
  postgresMessage('R', 0),
  postgresMessage('S', 'server_version\x0015.18\0'),
  postgresMessage('S', 'client_encoding\0UTF8\0'),
  postgresMessage('K', 4711, 815),
  postgresMessage('Z', 'I'),
]);

/** Of one column. */
export function postgresRows(...values: readonly string[]): Buffer {
  const rows = values.map((value) => postgresMessage('D', '\0\x01', value.length, value));
  return Buffer.concat([postgresMessage('T', '\0\x01column\0', 0, '\0\0', 16, '\0\x01', -1, '\0\0'), ...rows, postgresMessage('C', `SELECT ${values.length}\0`), postgresMessage('Z', 'I')]);
}
