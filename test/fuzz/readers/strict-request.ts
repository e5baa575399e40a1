/**
 * A reader of HTTP/1.1 requests that accepts nothing but the plainest form,
 * written from the grammar of RFC 9110 and RFC 9112 and sharing no code with
 * the parser under test: what we pass on must be one such request.
 */
import { readChunks } from './reference-chunks.ts';

export interface StrictField {
  readonly name: string;
  readonly value: string;
}

export interface StrictHead {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  readonly fields: readonly StrictField[];
  /** -1: none. */
  readonly contentLength: number;
  readonly isChunked: boolean;
  /** Bytes of the head with its empty line. */
  readonly length: number;
}

export interface StrictRequest extends StrictHead {
  /** The body's content, chunks taken off. */
  readonly body: string;
  readonly trailers: readonly StrictField[];
}

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~]+) HTTP\/1\.([0-9])$/;
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*$/;

/** The head at the start of `text`, or why there is none. */
export function readStrictHead(text: string): StrictHead | string {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return 'no end of the head';
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const line = REQUEST_LINE.exec(first);
  if (line === null) return `not a request line: ${JSON.stringify(first)}`;
  const fields = readFields(lines);
  if (typeof fields === 'string') return fields;
  const minorVersion = Number(line[3]);
  const hosts = namedExactly(fields, 'host');
  if (hosts.length > 1 || (hosts.length === 0 && minorVersion > 0)) return `${hosts.length} Host fields`;
  const lengths = namedExactly(fields, 'content-length');
  const codings = namedExactly(fields, 'transfer-encoding');
  if (lengths.length + codings.length > 1) return 'more than one framing';
  if (lengths.length === 1 && !/^[0-9]{1,16}$/.test(lengths[0]!)) return `not a length: ${lengths[0]}`;
  if (codings.length === 1 && (codings[0]!.toLowerCase() !== 'chunked' || minorVersion === 0)) return `not a coding: ${codings[0]}`;
  return { method: line[1]!, target: line[2]!, minorVersion, fields, contentLength: lengths.length === 1 ? Number(lengths[0]) : -1, isChunked: codings.length === 1, length: end + 4 };
}

/** The one request that `text` is, whole and with nothing behind it, or why it is none. */
export function readStrictRequest(text: string): StrictRequest | string {
  const head = readStrictHead(text);
  if (typeof head === 'string') return head;
  const rest = text.slice(head.length);
  if (!head.isChunked) {
    const length = Math.max(0, head.contentLength);
    return rest.length === length ? { ...head, body: rest, trailers: [] } : `a body of ${rest.length} bytes where ${length} are due`;
  }
  const chunks = readChunks(rest, Infinity);
  if (chunks.end !== 'done') return `chunks that are ${chunks.end}`;
  if (chunks.rest !== '') return `bytes behind the request: ${JSON.stringify(chunks.rest)}`;
  if (chunks.hasExtension) return 'chunk extensions';
  const trailers = chunks.trailer === null ? [] : readFields(chunks.trailer.slice(0, -4).split('\r\n'));
  return typeof trailers === 'string' ? `in the trailers: ${trailers}` : { ...head, body: chunks.content, trailers };
}

export function readFields(lines: readonly string[]): StrictField[] | string {
  const fields: StrictField[] = [];
  for (const line of lines) {
    const match = FIELD_LINE.exec(line);
    if (match === null) return `not a field line: ${JSON.stringify(line)}`;
    fields.push({ name: match[1]!, value: match[2]! });
  }
  return fields;
}

function namedExactly(fields: readonly StrictField[], name: string): string[] {
  return fields.filter((field) => field.name.toLowerCase() === name).map((field) => field.value);
}

/** Values of the fields whose name is `name` when "_" is read as "-", as some origins do. */
export function valuesOf(fields: readonly StrictField[], name: string): string[] {
  return fields.filter((field) => foldName(field.name) === name).map((field) => field.value);
}

export function foldName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}
