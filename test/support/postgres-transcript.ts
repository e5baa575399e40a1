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

const texts = (transcripts: readonly (readonly Buffer[])[]): string[] => transcripts.map((parts) => Buffer.concat(parts).toString('latin1'));
const challenge = postgresMessage('R', 11, 'r=N0NCEserver,s=c2FsdA==,i=2');

/** Whole conversations, latin1, that lead far into what reads them. */
export const postgresTranscripts: readonly string[] = texts([
  [postgresBegin, postgresRows('f'), postgresRows('1')],
  [postgresBegin, postgresRows('t')],
  [postgresBegin, postgresError('42501', 'S3CRET', 'ERROR')],
  [postgresMessage('R', 3), postgresBegin, postgresRows('f'), postgresError('42P01', 'S3CRET', 'ERROR')],
  [postgresMessage('R', 5, 'salt'), postgresBegin],
  [postgresMessage('R', 10, 'SCRAM-SHA-256\0\0'), challenge, postgresMessage('R', 12, 'v=cHJvb2Y=')],
  [postgresMessage('R', 10, 'SCRAM-SHA-256\0\0'), postgresMessage('R', 11, 'r=N0NCEx,s=c2FsdA==,i=999999999')],
  [postgresError('57P03', 'the database system is starting up')],
  [Buffer.from('Ecould not fork\0')],
]);

/** What the search puts in. */
export const postgresTokens: readonly string[] = texts([[postgresMessage('R', 0)], [postgresMessage('R', 3)], [challenge], [postgresMessage('Z', 'I')], [postgresMessage('D', '\0\x01', -1)], [postgresMessage('N', 'C57P03\0\0')], [postgresMessage('T')], [postgresMessage('E', 'C28P01\0Mno\0\0')]]);
