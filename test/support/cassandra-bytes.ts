/** Answers of a Cassandra node as bytes, by native_protocol_v4.spec; no library has a hand in them. */

export function cassandraFrame(opcode: number, body: Buffer = Buffer.alloc(0), { version = 0x84, flags = 0, stream = 1 } = {}): Buffer {
  const head = Buffer.alloc(9);
  head[0] = version;
  head[1] = flags;
  head.writeInt16BE(stream, 2);
  head[4] = opcode;
  head.writeInt32BE(body.length, 5);
  return Buffer.concat([head, body]);
}

/** [string]: a length of two bytes, and UTF-8. */
export function cassandraText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

export function cassandraError(code: number, message: string, head: Parameters<typeof cassandraFrame>[2] = {}): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(code);
  return cassandraFrame(0x00, Buffer.concat([bytes, cassandraText(message)]), head);
}

/** A string multimap: { CQL_VERSION: ['3.4.6'], COMPRESSION: [] }. */
export const supported = cassandraFrame(0x06, Buffer.concat([Buffer.from([0, 2]), cassandraText('CQL_VERSION'), Buffer.from([0, 1]), cassandraText('3.4.6'), cassandraText('COMPRESSION'), Buffer.from([0, 0])]));
export const ready = cassandraFrame(0x02);
export const authenticate = cassandraFrame(0x03, cassandraText('org.apache.cassandra.auth.PasswordAuthenticator'));
export const authSuccess = cassandraFrame(0x10, Buffer.from([0xff, 0xff, 0xff, 0xff]));
