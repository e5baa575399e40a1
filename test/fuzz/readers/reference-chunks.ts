/** The chunked coding (RFC 9112 §7.1) as a simple reader of a whole text: what the decoder under test is compared with. */

export interface ReadChunks {
  readonly end: 'done' | 'incomplete' | 'failed';
  /** Data alone. */
  readonly content: string;
  /** Chunk lines without extensions, and data; without the trailer section, and with the last empty line if that is empty. */
  readonly framed: string;
  /** Field lines with their empty line; null: none. */
  readonly trailer: string | null;
  readonly rest: string;
  readonly hasExtension: boolean;
}

const EXTENSION_BYTES_MAX = 1024;
/** Of a whole body: what goes beyond 16 a chunk may be as much as the data so far, and these. */
const SURPLUS_BYTES_MAX = 16 * 1024;
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED_OPEN = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*';
const MEMBER = `[\\t ]*${TOKEN}(?:[\\t ]*=[\\t ]*(?:${TOKEN}|${QUOTED_OPEN}"))?`;
const SIZE = '[0-9A-Fa-f]{1,13}';
const SIZE_LINE = new RegExp(`(${SIZE})(;${MEMBER}(?:[\\t ]*;${MEMBER})*)?\\r\\n`, 'y');
/** What may still become a size line: whole members, and the beginning of another. */
const SIZE_LINE_BEGUN = new RegExp(
  `(?:${SIZE}(?:;(?:${MEMBER}[\\t ]*;)*(?:[\\t ]*|${MEMBER}[\\t ]*|[\\t ]*${TOKEN}[\\t ]*=[\\t ]*(?:${QUOTED_OPEN}\\\\?)?))?|${SIZE}(?:;${MEMBER}(?:[\\t ]*;${MEMBER})*)?\\r)?$`,
  'y',
);

export function readChunks(text: string, trailerBytesMax: number): ReadChunks {
  let at = 0;
  let content = '';
  let framed = '';
  let hasExtension = false;
  let surplus = 0;
  const isShort = (length: number): boolean => length <= EXTENSION_BYTES_MAX && surplus + Math.max(0, length - 16) <= content.length + SURPLUS_BYTES_MAX;
  const end = (how: ReadChunks['end'], trailer: string | null = null): ReadChunks => ({ end: how, content, framed, trailer, rest: how === 'done' ? text.slice(at) : '', hasExtension });
  while (true) {
    SIZE_LINE.lastIndex = at;
    const line = SIZE_LINE.exec(text);
    if (line === null) {
      SIZE_LINE_BEGUN.lastIndex = at;
      return end(SIZE_LINE_BEGUN.test(text) && isShort(extensionLength(text.slice(at))) ? 'incomplete' : 'failed');
    }
    const extension = line[2] === undefined ? 0 : line[2].length - 1;
    if (!isShort(extension)) return end('failed');
    surplus += Math.max(0, extension - 16);
    hasExtension ||= line[2] !== undefined;
    const size = parseInt(line[1]!, 16);
    framed += `${line[1]}\r\n`;
    at += line[0].length;
    if (size === 0) break;
    const piece = text.slice(at, at + size);
    content += piece;
    framed += piece;
    at += piece.length;
    if (piece.length < size) return end('incomplete');
    const close = text.slice(at, at + 2);
    if (close !== '\r\n') return end('\r\n'.startsWith(close) ? 'incomplete' : 'failed');
    framed += close;
    at += 2;
  }
  return endOfTrailer(text.slice(at), trailerBytesMax, (how, length, trailer) => {
    at += length;
    if (how === 'done' && trailer === null) framed += '\r\n';
    return end(how, trailer);
  });
}

function extensionLength(line: string): number {
  const semicolon = line.indexOf(';');
  return semicolon === -1 ? 0 : line.replace(/\r$/, '').length - semicolon - 1;
}

function endOfTrailer(text: string, bytesMax: number, end: (how: ReadChunks['end'], length: number, trailer: string | null) => ReadChunks): ReadChunks {
  if (text.startsWith('\r\n')) return end('done', 2, null);
  if (text === '' || text === '\r') return end('incomplete', 0, null);
  if (text.startsWith('\r')) return end('failed', 0, null);
  const close = text.indexOf('\r\n\r\n');
  const length = close === -1 ? text.length : close + 4;
  const section = text.slice(0, length);
  if (/(?<!\r)\n/.test(section) || length > bytesMax) return end('failed', 0, null);
  return close === -1 ? end('incomplete', 0, null) : end('done', length, section);
}
