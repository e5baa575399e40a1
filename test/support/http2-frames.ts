/** HTTP/2 by hand, for backends that answer a call in ways that no library would. */

/** RFC 9113 §4.1. */
export function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A literal field without indexing, RFC 7541 §6.2.2. */
export function grpcStatusField(code: string): Buffer {
  return Buffer.concat([Buffer.from([0, 11]), Buffer.from('grpc-status'), Buffer.from([code.length]), Buffer.from(code)]);
}

/** What a backend that serves answers to a health check on its first stream, after its settings. */
export const servingFrames: readonly Buffer[] = [
  http2Frame(1, 4, 1, Buffer.from([0x88])),
  http2Frame(0, 0, 1, Buffer.from([0, 0, 0, 0, 2, 8, 1])),
  http2Frame(1, 5, 1, grpcStatusField('0')),
];

export const emptySettings = http2Frame(4, 0, 0, Buffer.alloc(0));
