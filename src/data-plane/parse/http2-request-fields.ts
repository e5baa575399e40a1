/**
 * The fields of an HTTP/2 request, held to RFC 9113 §8.2 and §8.3, and written
 * as the head of the same request in HTTP/1.1: request line, Host, fields. All
 * that comes after (the strict parser of heads, routing, edits, what backends
 * get) is then one code for both versions. Whatever could end a line or a word
 * early is refused here, so that the parser reads exactly these fields. Where
 * they stand is told beside it, so that it need not look for them again. Pure.
 *
 * Clients say mostly the same: an entry of the table that was a plain line once
 * (valid, and a field without rules of HTTP/2) is marked with its name's number,
 * and from then on is copied as it stands there, neighbours in one run.
 */
import { COLON, copyBytes, CR, equalsWord, LF, SPACE, TARGET, TOKEN, TOKEN_FOLDED } from './bytes.ts';
import { FIELD, fieldId, HASH_START, hashStep } from './field-names.ts';
import { FIELD_COUNT_LIMIT, FieldLines } from './field-lines.ts';
import type { EntrySink } from './hpack-decoder.ts';
import type { HpackTable } from './hpack-table.ts';
import { isFieldValue } from './http2-field-value.ts';
import { URGENCY_DEFAULT, urgencyOf } from './http2-priority.ts';
import { OutBytes } from './out-bytes.ts';
import type { HeadLimits } from './request-head.ts';

const SCHEME = { none: 0, http: 1, https: 2 } as const;

/** Its texts, one behind the other: method, path and authority are kept here until the first line can be written. */
const pseudo = new OutBytes(1024);
const cookies = new OutBytes(1024);
const HOST = Buffer.from('Host: ', 'latin1');
const VERSION_LINE = Buffer.from(' HTTP/1.1\r\n', 'latin1');

const COOKIE = Buffer.from('cookie', 'latin1');
/** Names that onField looks at, by their number and by themselves: never plain. */
const HAS_RULES = new Uint8Array(256);
for (const id of [FIELD.connection, FIELD.keepAlive, FIELD.proxyConnection, FIELD.transferEncoding, FIELD.upgrade, FIELD.te, FIELD.contentLength, FIELD.host]) HAS_RULES[id] = 1;
const WITH_RULES = ['cookie', 'priority', 'sec-websocket-key'];

/** Marks of entries (HpackTable.mark): not plain, or the number of a plain line's name above this. */
const NOT_PLAIN = 1;
const PLAIN = 2;

class Span {
  start = 0;
  end = 0;
  isThere = false;

  clear(): void {
    this.isThere = false;
    this.start = this.end = 0;
  }
}

export class RequestFields implements EntrySink {
  /** The head without its empty line, or the lines of the trailers with it, after `finish`. */
  readonly out: OutBytes;
  /** The lines of a head from its first to `listedEnd`, by their places in `out`. */
  readonly lines = new FieldLines();
  listedEnd = 0;
  /** Of the block: by it one can tell that `lines` are still those of the same. */
  serial = 0;
  /** Why the request is malformed; '': it is not. */
  problem = '';
  /** Over the limits; what came after was not looked at. */
  isTooLarge = false;
  isTargetTooLong = false;
  /** `:scheme` was https. */
  isSecure = false;
  /** Extended CONNECT for WebSocket (RFC 8441): the head is that of the upgrade, still without its key. */
  isWebSocket = false;
  /** As Priority says. */
  urgency = URGENCY_DEFAULT;
  /** There is a content-length. */
  hasLength = false;
  /** It says itself that it takes trailers. */
  #takesTrailers = false;
  #limits: HeadLimits = { headerBytesMax: 0, headerCountMax: 0 };
  #count = 0;
  #isTrailer = false;
  #hasLine = false;
  /** A run of plain lines of this table that is not copied yet. */
  #table: HpackTable | null = null;
  #runStart = 0;
  #runEnd = 0;
  #hasHost = false;
  #scheme: number = SCHEME.none;
  #isConnect = false;
  readonly #method = new Span();
  readonly #path = new Span();
  readonly #authority = new Span();
  readonly #protocol = new Span();

  constructor(out = new OutBytes(8 * 1024)) {
    this.out = out;
  }

  /** Before each block. `isTrailer`: the section behind a body. */
  begin(limits: HeadLimits, isTrailer: boolean): void {
    this.#limits = limits;
    this.#isTrailer = isTrailer;
    this.serial++;
    this.out.length = pseudo.length = cookies.length = 0;
    this.lines.count = this.listedEnd = this.#runStart = this.#runEnd = 0;
    this.problem = '';
    this.isTooLarge = this.isTargetTooLong = this.isSecure = this.isWebSocket = this.hasLength = false;
    this.#takesTrailers = this.#hasLine = this.#hasHost = this.#isConnect = false;
    this.#count = 0;
    this.urgency = URGENCY_DEFAULT;
    this.#scheme = SCHEME.none;
    this.#method.clear();
    this.#path.clear();
    this.#authority.clear();
    this.#protocol.clear();
  }

  onField(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    if (this.#runEnd > this.#runStart) this.#putRun();
    if (this.problem !== '' || this.isTooLarge) return;
    if (this.#exceeds(nameEnd - nameStart + valueEnd - valueStart)) return;
    if (name[nameStart] === COLON && nameEnd > nameStart) return this.#onPseudo(name, nameStart, nameEnd, value, valueStart, valueEnd);
    if (!this.#hasLine && !this.#isTrailer) this.#openHead();
    if (this.problem !== '') return;
    const id = this.#nameId(name, nameStart, nameEnd);
    if (!isFieldValue(value, valueStart, valueEnd)) this.problem = 'a field value is malformed';
    if (this.problem !== '') return;
    if (id !== FIELD.other) {
      if (this.#takesKnown(id, value, valueStart, valueEnd)) return;
    } else if (nameEnd - nameStart === 6 && !this.#isTrailer && equalsWord(name, nameStart, nameEnd, 'cookie')) return this.#addCookie(value, valueStart, valueEnd);
    else if (nameEnd - nameStart === 8 && equalsWord(name, nameStart, nameEnd, 'priority')) this.urgency = urgencyOf(value, valueStart, valueEnd);
    else if (this.isWebSocket && equalsWord(name, nameStart, nameEnd, 'sec-websocket-key')) return;
    this.#putLine(id, name, nameStart, nameEnd, value, valueStart, valueEnd);
  }

  onEntry(table: HpackTable, number: number): boolean {
    const mark = table.mark(number);
    if (mark === NOT_PLAIN) return false;
    const start = table.nameStart(number);
    const nameEnd = table.nameEnd(number);
    const end = table.valueEnd(number);
    if (mark === 0) {
      this.onField(table.bytes, start, nameEnd, table.bytes, nameEnd + 2, end);
      if (this.problem === '' && !this.isTooLarge) table.setMark(number, markOf(table.bytes, start, nameEnd));
      return true;
    }
    if (this.problem !== '' || this.isTooLarge || this.#exceeds(end - 2 - start)) return true;
    if (!this.#hasLine && !this.#isTrailer) this.#openHead();
    if (this.problem !== '') return true;
    if (this.#runEnd !== start || this.#runStart === this.#runEnd) {
      if (this.#runEnd > this.#runStart) this.#putRun();
      this.#table = table;
      this.#runStart = start;
    }
    this.#runEnd = end + 2;
    this.#count++;
    const shift = this.out.length - this.#runStart;
    this.lines.add(mark - PLAIN, start + shift, nameEnd + shift, nameEnd + 2 + shift, end + shift);
    return true;
  }

  #putRun(): void {
    const { out } = this;
    out.reserve(this.#runEnd - this.#runStart);
    out.length = copyBytes(this.#table!.bytes, this.#runStart, this.#runEnd, out.bytes, out.length);
    this.#runStart = this.#runEnd = 0;
  }

  /** The block is over: what is put last. */
  finish(): void {
    if (this.#runEnd > this.#runStart) this.#putRun();
    if (this.problem !== '' || this.isTooLarge) return;
    const { out } = this;
    if (!this.#isTrailer) {
      if (!this.#hasLine) this.#openHead();
      if (this.problem !== '') return;
      if (cookies.length > 0) this.#putLine(FIELD.other, COOKIE, 0, COOKIE.length, cookies.bytes, 0, cookies.length);
      this.listedEnd = out.length;
      if (this.isWebSocket) putText(out, this.#takesTrailers ? 'Upgrade: websocket\r\nConnection: Upgrade, TE\r\n' : 'Upgrade: websocket\r\nConnection: Upgrade\r\n');
      else if (this.#takesTrailers) putText(out, 'Connection: TE\r\n');
    } else putText(out, '\r\n');
  }

  #exceeds(bytes: number): boolean {
    const { headerBytesMax, headerCountMax } = this.#limits;
    const countMax = headerCountMax === 0 ? FIELD_COUNT_LIMIT : headerCountMax;
    const held = this.out.length + this.#runEnd - this.#runStart + pseudo.length + cookies.length + bytes;
    // Pseudo-fields are no fields of HTTP/1.1.
    if ((headerBytesMax === 0 || held <= headerBytesMax) && this.#count <= countMax) return false;
    this.isTooLarge = true;
    return true;
  }

  #onPseudo(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, start: number, end: number): void {
    if (this.#isTrailer || this.#hasLine) return void (this.problem = 'a pseudo-field behind fields, or in trailers');
    switch (nameEnd - nameStart) {
      case 5:
        if (equalsExactly(name, nameStart, ':path')) return this.#keep(this.#path, value, start, end, TARGET);
        break;
      case 7:
        if (equalsExactly(name, nameStart, ':method')) return this.#keep(this.#method, value, start, end, TOKEN);
        if (equalsExactly(name, nameStart, ':scheme')) return this.#keepScheme(value, start, end);
        break;
      case 9:
        if (equalsExactly(name, nameStart, ':protocol')) return this.#keep(this.#protocol, value, start, end, TOKEN);
        break;
      case 10:
        if (equalsExactly(name, nameStart, ':authority')) return this.#keep(this.#authority, value, start, end, TARGET);
    }
    this.problem = 'a pseudo-field that requests have not';
  }

  /** Every byte must be of `allowed`: none ends a word or a line. */
  #keep(span: Span, value: Buffer, start: number, end: number, allowed: Uint8Array): void {
    pseudo.reserve(end - start);
    const { bytes } = pseudo;
    let at = pseudo.length;
    let pos = start;
    for (; pos < end && allowed[value[pos]!] === 1; pos++) bytes[at++] = value[pos]!;
    if (span.isThere || pos < end || end === start) return void (this.problem = 'a pseudo-field is empty, malformed or there twice');
    span.start = pseudo.length;
    span.end = pseudo.length = at;
    span.isThere = true;
  }

  #keepScheme(value: Buffer, start: number, end: number): void {
    const found = equalsWord(value, start, end, 'http') ? SCHEME.http : equalsWord(value, start, end, 'https') ? SCHEME.https : SCHEME.none;
    if (this.#scheme !== SCHEME.none || found === SCHEME.none) this.problem = 'the scheme is unknown, or there twice';
    this.#scheme = found;
    this.isSecure = found === SCHEME.https;
  }

  /** All pseudo-fields have come: writes the request line, and Host from the authority. */
  #openHead(): void {
    this.#hasLine = true;
    const method = this.#method;
    const path = this.#path;
    const authority = this.#authority;
    this.#isConnect = method.isThere && equalsSpan(method, 'CONNECT');
    if (!this.#checkPseudo()) return void (this.problem = 'pseudo-fields are missing, or do not go together');
    const { out } = this;
    out.reserve(method.end - method.start + path.end - path.start + 2 * (authority.end - authority.start) + 64);
    this.isWebSocket = this.#isConnect && equalsSpan(this.#protocol, 'websocket');
    if (this.isWebSocket) putText(out, 'GET');
    else putSpan(out, method);
    out.bytes[out.length++] = SPACE;
    // A CONNECT that is not for WebSocket is not implemented, which the parser says of its method.
    putSpan(out, this.#isConnect && !this.isWebSocket ? authority : path);
    out.length = copyBytes(VERSION_LINE, 0, VERSION_LINE.length, out.bytes, out.length);
    if (!authority.isThere) return;
    const at = out.length;
    out.length = copyBytes(HOST, 0, HOST.length, out.bytes, at);
    putSpan(out, authority);
    this.lines.add(FIELD.host, at, at + HOST.length - 2, at + HOST.length, out.length);
    putLineEnd(out);
  }

  /** RFC 9113 §8.3.1, §8.5; RFC 8441 §4. */
  #checkPseudo(): boolean {
    const path = this.#path;
    if (!this.#method.isThere) return false;
    if (this.#isConnect && !this.#protocol.isThere) return this.#authority.isThere && !path.isThere && this.#scheme === SCHEME.none;
    if (this.#protocol.isThere && (!this.#isConnect || !this.#authority.isThere)) return false;
    if (!path.isThere || this.#scheme === SCHEME.none) return false;
    // Neither another form of target than those of §8.3.1, nor "*" for another method than OPTIONS.
    const isStar = path.end - path.start === 1 && pseudo.bytes[path.start] === 42;
    return pseudo.bytes[path.start] === 47 || (isStar && equalsSpan(this.#method, 'OPTIONS'));
  }

  /** Number of the name in field-names.ts; upper case and what is no token are a problem. */
  #nameId(name: Buffer, start: number, end: number): number {
    let hash = HASH_START;
    for (let i = start; i < end; i++) {
      const byte = name[i]!;
      const folded = TOKEN_FOLDED[byte]!;
      if (folded === 0 || (byte >= 65 && byte <= 90)) {
        this.problem = 'a field name is malformed, or not in lower case';
        return FIELD.other;
      }
      hash = hashStep(hash, folded);
    }
    if (start === end) this.problem = 'a field without a name';
    return fieldId(name, start, end, hash);
  }

  /** Fields that HTTP/2 has rules for. True: it is dealt with, and no line of its own. */
  #takesKnown(id: number, value: Buffer, start: number, end: number): boolean {
    switch (id) {
      case FIELD.connection:
      case FIELD.keepAlive:
      case FIELD.proxyConnection:
      case FIELD.transferEncoding:
      case FIELD.upgrade:
        this.problem = 'a field that is for one connection of HTTP/1.1';
        return true;
      case FIELD.te:
        if (!equalsWord(value, start, end, 'trailers')) this.problem = 'TE with more than trailers';
        // Sent twice it would be written twice, though it says the same. It must not trail, which is seen to later.
        if (this.#takesTrailers) return !this.#isTrailer;
        this.#takesTrailers = true;
        return false;
      case FIELD.contentLength:
        if (this.#isConnect) this.problem = 'CONNECT with a length';
        this.hasLength = true;
        return false;
      case FIELD.host:
        return this.#takesHost(value, start, end);
      default:
        return false;
    }
  }

  /** Beside an authority it says the same or is refused; alone it stands for it (§8.3.1). */
  #takesHost(value: Buffer, start: number, end: number): boolean {
    const authority = this.#authority;
    const isSame = !authority.isThere || equalsFolded(value, start, end, authority);
    if (this.#hasHost || !isSame) this.problem = 'Host there twice, or unlike the authority';
    this.#hasHost = true;
    return authority.isThere;
  }

  /** Crumbs are put together again (§8.2.3): HTTP/1.1 has one Cookie. An empty one says nothing, and would leave white space at an end. */
  #addCookie(value: Buffer, start: number, end: number): void {
    if (start === end) return;
    this.#count++;
    cookies.reserve(end - start + 2);
    if (cookies.length > 0) putText(cookies, '; ');
    cookies.length = copyBytes(value, start, end, cookies.bytes, cookies.length);
  }

  #putLine(id: number, name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    this.#count++;
    const { out } = this;
    out.reserve(nameEnd - nameStart + valueEnd - valueStart + 4);
    const { bytes } = out;
    const start = out.length;
    const colon = copyBytes(name, nameStart, nameEnd, bytes, start);
    bytes[colon] = COLON;
    bytes[colon + 1] = SPACE;
    const end = copyBytes(value, valueStart, valueEnd, bytes, colon + 2);
    bytes[end] = CR;
    bytes[end + 1] = LF;
    out.length = end + 2;
    this.lines.add(id, start, colon, colon + 2, end);
  }
}

/** Of an entry whose name and value are valid. By its name alone: whatever block it comes in, its mark must be right. */
function markOf(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] === COLON) return NOT_PLAIN;
  let hash = HASH_START;
  for (let i = start; i < end; i++) hash = hashStep(hash, TOKEN_FOLDED[bytes[i]!]!);
  const id = fieldId(bytes, start, end, hash);
  if (id === FIELD.other ? WITH_RULES.some((word) => equalsWord(bytes, start, end, word)) : HAS_RULES[id] === 1) return NOT_PLAIN;
  return PLAIN + id;
}

function equalsExactly(bytes: Buffer, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return false;
  return true;
}

function equalsSpan(span: Span, word: string): boolean {
  return span.end - span.start === word.length && equalsExactly(pseudo.bytes, span.start, word);
}

function equalsFolded(value: Buffer, start: number, end: number, span: Span): boolean {
  if (end - start !== span.end - span.start) return false;
  for (let i = start; i < end; i++) {
    const a = value[i]!;
    const b = pseudo.bytes[span.start + i - start]!;
    if (a !== b && (TOKEN_FOLDED[a] !== TOKEN_FOLDED[b] || TOKEN_FOLDED[a] === 0 || (a | 32) !== (b | 32))) return false;
  }
  return true;
}

function putSpan(out: OutBytes, span: Span): void {
  out.reserve(span.end - span.start);
  out.length = copyBytes(pseudo.bytes, span.start, span.end, out.bytes, out.length);
}

function putText(out: OutBytes, text: string): void {
  out.reserve(text.length);
  out.length += out.bytes.write(text, out.length, 'latin1');
}

function putLineEnd(out: OutBytes): void {
  out.reserve(2);
  out.bytes[out.length++] = CR;
  out.bytes[out.length++] = LF;
}
