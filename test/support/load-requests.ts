/** The requests of a load: GETs, and POSTs with bodies of several sizes, whole or in chunks, all at once or in parts. */
import { crc32 } from 'node:zlib';

export interface LoadRequest {
  readonly method: 'GET' | 'POST';
  /** As written: the first at once, the rest a moment later. */
  readonly parts: readonly Buffer[];
  /** What the backend's answer says after its name. */
  readonly echo: string;
}

interface Body {
  readonly length: number;
  readonly checksum: number;
  readonly fields: string;
  readonly parts: readonly Buffer[];
}

const BODIES: readonly (Body | null)[] = [null, sized(40), null, chunked([10, 700]), null, sized(9_000), null, chunked([4_000, 30_000, 1])];

let count = 0;

export function nextRequest(isKept: boolean): LoadRequest {
  const id = ++count;
  const body = BODIES[id % BODIES.length]!;
  const method = body === null ? 'GET' : 'POST';
  const target = `/r/${id}`;
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: load.test\r\n${isKept ? '' : 'Connection: close\r\n'}${body?.fields ?? ''}\r\n`, 'latin1');
  const [first, ...rest] = body?.parts ?? [];
  return { method, parts: [first === undefined ? head : Buffer.concat([head, first]), ...rest], echo: `${method} ${target} ${body?.length ?? 0} ${body?.checksum ?? 0}\n` };
}

function bytes(length: number): Buffer {
  return Buffer.alloc(length, 'All requests are answered, each with its own. ');
}

function sized(length: number): Body {
  const content = bytes(length);
  return { length, checksum: crc32(content), fields: `Content-Length: ${length}\r\n`, parts: [content] };
}

/** The first chunk comes with the head, the rest later. */
function chunked(lengths: readonly number[]): Body {
  const chunks = lengths.map(bytes);
  const lines = chunks.map((chunk) => Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]));
  const content = Buffer.concat(chunks);
  return { length: content.length, checksum: crc32(content), fields: 'Transfer-Encoding: chunked\r\n', parts: [...lines, Buffer.from('0\r\n\r\n')] };
}
