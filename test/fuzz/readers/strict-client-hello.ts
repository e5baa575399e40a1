/** A ClientHello read the plain way, without any code of the product: records joined first, then vectors taken apart. */

export interface StrictHello {
  readonly name: string;
  readonly protocols: readonly string[];
}

/** Two bytes each, the same twice: 0x0a, 0x1a … 0xfa. */
const GREASE = new Set(Array.from({ length: 16 }, (_, i) => String.fromCharCode(16 * i + 10).repeat(2)));

class Broken extends Error {}

/** A reader of vectors that throws Broken where one overruns. */
class Cursor {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  get isAtEnd(): boolean {
    return this.#rest.length === 0;
  }

  take(count: number): Buffer {
    if (count > this.#rest.length) throw new Broken('it overruns');
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  number(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  vector(lengthBytes: number, min: number, max = Infinity): Buffer {
    const length = this.number(lengthBytes);
    if (length < min || length > max) throw new Broken('a length out of range');
    return this.take(length);
  }
}

/** What bytes of a connection's beginning are: a hello, `incomplete`, `no TLS`, or what is wrong with it. */
export function readStrictHello(input: Buffer): StrictHello | string {
  const message = joinRecords(input);
  if (typeof message === 'string') return message;
  try {
    return readMessage(message);
  } catch (error) {
    if (error instanceof Broken) return error.message;
    throw error;
  }
}

function joinRecords(input: Buffer): Buffer | string {
  let message = Buffer.alloc(0);
  let isFirst = true;
  for (let at = 0; ; isFirst = false) {
    const header = input.subarray(at, at + 5);
    const foreign = isFirst ? 'no TLS' : 'another record';
    if (header.length > 0 && header[0] !== 22) return foreign;
    if (header.length > 1 && header[1] !== 3) return foreign;
    if (header.length > 3 && header[3]! > 64) return foreign;
    if (header.length < 5) return 'incomplete';
    const length = header.readUInt16BE(3);
    if (length === 0 || length > 16384) return 'a length no record has';
    if (at + 5 + length > 32768) return 'too many bytes';
    const payload = input.subarray(at + 5, at + 5 + length);
    message = Buffer.concat([message, payload]);
    if (message.length > 0 && message[0] !== 1) return 'another message';
    if (message.length >= 4) {
      const wanted = 4 + message.readUIntBE(1, 3);
      if (wanted > 16384) return 'too large a message';
      if (message.length >= wanted) return message.subarray(0, wanted);
    }
    if (payload.length < length) return 'incomplete';
    at += 5 + length;
  }
}

function readMessage(message: Buffer): StrictHello {
  const hello = new Cursor(message.subarray(4));
  hello.take(34);
  hello.vector(1, 0, 32);
  hello.vector(2, 2, 0xfffe);
  hello.vector(1, 1);
  const found = { name: '', protocols: [] as readonly string[] };
  if (hello.isAtEnd) return found;
  const extensions = new Cursor(hello.vector(2, 0));
  if (!hello.isAtEnd) throw new Broken('bytes behind the extensions');
  const seen = new Set<number>();
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const body = extensions.vector(2, 0);
    if ((type === 0 || type === 16) && seen.has(type)) throw new Broken('an extension twice');
    seen.add(type);
    if (type === 0) found.name = readName(body);
    if (type === 16) found.protocols = readProtocols(body);
  }
  return found;
}

/** The one vector that fills `body`. */
function whole(body: Buffer, min: number): Cursor {
  const outer = new Cursor(body);
  const list = new Cursor(outer.vector(2, min));
  if (!outer.isAtEnd) throw new Broken('bytes behind a list');
  return list;
}

function readName(body: Buffer): string {
  const list = whole(body, 1);
  const hosts: string[] = [];
  while (!list.isAtEnd) {
    const type = list.number(1);
    const name = list.vector(2, 1).toString('latin1');
    if (type === 0) hosts.push(name);
  }
  if (hosts.length > 1) throw new Broken('two names');
  const name = (hosts[0] ?? '').toLowerCase().replace(/\.$/, '');
  const isName = name.length <= 253 && name.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label));
  return isName ? name : '';
}

function readProtocols(body: Buffer): string[] {
  const list = whole(body, 2);
  const protocols: string[] = [];
  while (!list.isAtEnd) protocols.push(list.vector(1, 1).toString('latin1'));
  return protocols.filter((name) => !GREASE.has(name)).slice(0, 32);
}
