/** Answers of a MongoDB member as bytes, by the documents of OP_MSG and BSON; no library has a hand in them. */

/** An answer to `hello`, of a primary: field by field. */
export const primaryFields: readonly Buffer[] = [
  bool('isWritablePrimary', true),
  bool('secondary', false),
  text('setName', 'rs0'),
  int32('setVersion', 3),
  Buffer.concat([Buffer.from('\x07electionId\0', 'latin1'), Buffer.from('7fffffff0000000000000009', 'hex')]),
  text('me', '10.0.0.1:27017'),
  // hosts: ["10.0.0.1:27017"]
  Buffer.concat([Buffer.from('\x04hosts\0', 'latin1'), document([text('0', '10.0.0.1:27017')])]),
  int32('maxWireVersion', 25),
  double('ok', 1),
];

export function document(fields: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), ...fields, Buffer.alloc(1)]);
  bytes.writeInt32LE(bytes.length);
  return bytes;
}

/** OP_MSG with one section of kind 0, in answer to the request 1. */
export function opMsg(body: Buffer, { responseTo = 1, opcode = 2013, flags = 0, kind = 0 } = {}): Buffer {
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(77, 4);
  head.writeInt32LE(responseTo, 8);
  head.writeInt32LE(opcode, 12);
  head.writeUInt32LE(flags, 16);
  head[20] = kind;
  return Buffer.concat([head, body]);
}

export function bool(name: string, value: boolean): Buffer {
  return Buffer.concat([Buffer.from(`\x08${name}\0`, 'latin1'), Buffer.from([value ? 1 : 0])]);
}

export function text(name: string, value: string): Buffer {
  const bytes = Buffer.from(`${value}\0`, 'utf8');
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes.length);
  return Buffer.concat([Buffer.from(`\x02${name}\0`, 'latin1'), length, bytes]);
}

export function int32(name: string, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return Buffer.concat([Buffer.from(`\x10${name}\0`, 'latin1'), bytes]);
}

export function double(name: string, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([Buffer.from(`\x01${name}\0`, 'latin1'), bytes]);
}
