/**
 * The fields of an HTTP/2 request, held to RFC 9113 §8.2 and §8.3, and written
 * as the head of the same request in HTTP/1.1: request line, Host, fields. All
 * that comes after (the strict parser of heads, routing, edits, what backends
 * get) is then one code for both versions. Whatever could end a line or a word
 * early is refused here, so that the parser reads exactly these fields. Pure.
 */
import { equalsWord, SPACE, TARGET, TOKEN, TOKEN_FOLDED } from './bytes.ts';
import { FIELD, fieldId, HASH_START, hashStep } from './field-names.ts';
import { FIELD_COUNT_LIMIT } from './field-lines.ts';
import type { FieldSink } from './hpack-decoder.ts';
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

class Span {
  start = 0;
  end = 0;
  isThere = false;

  clear(): void {
    this.isThere = false;
    this.start = this.end = 0;
  }
}

export class RequestFields implements FieldSink {
  /** The head without its empty line, or the lines of the trailers with it, after `finish`. */
  readonly out = new OutBytes(8 * 1024);
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
  #hasHost = false;
  #scheme: number = SCHEME.none;
  #isConnect = false;
  readonly #method = new Span();
  readonly #path = new Span();
  readonly #authority = new Span();
  readonly #protocol = new Span();

  /** Before each block. `isTrailer`: the section behind a body. */
  begin(limits: HeadLimits, isTrailer: boolean): void {
    this.#limits = limits;
    this.#isTrailer = isTrailer;
    this.out.length = pseudo.length = cookies.length = 0;
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
    if (this.problem !== '' || this.isTooLarge) return;
    if (this.#exceeds(nameEnd - nameStart + valueEnd - valueStart)) return;
    if (name[nameStart] === 58 && nameEnd > nameStart) return this.#onPseudo(name, nameStart, nameEnd, value, valueStart, valueEnd);
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
    this.#putLine(name, nameStart, nameEnd, value, valueStart, valueEnd);
  }

  /** The block is over: what is put last. */
  finish(): void {
    if (this.problem !== '' || this.isTooLarge) return;
    const { out } = this;
    if (!this.#isTrailer) {
      if (!this.#hasLine) this.#openHead();
      if (this.problem !== '') return;
      if (cookies.length > 0) this.#putCookies();
      if (this.isWebSocket) putText(out, this.#takesTrailers ? 'Upgrade: websocket\r\nConnection: Upgrade, TE\r\n' : 'Upgrade: websocket\r\nConnection: Upgrade\r\n');
      else if (this.#takesTrailers) putText(out, 'Connection: TE\r\n');
    } else putText(out, '\r\n');
  }

  #exceeds(bytes: number): boolean {
    const { headerBytesMax, headerCountMax } = this.#limits;
    const countMax = headerCountMax === 0 ? FIELD_COUNT_LIMIT : headerCountMax;
    const held = this.out.length + pseudo.length + cookies.length + bytes;
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
    let pos = start;
    while (pos < end && allowed[value[pos]!] === 1) pos++;
    if (span.isThere || pos < end || end === start) return void (this.problem = 'a pseudo-field is empty, malformed or there twice');
    pseudo.reserve(end - start);
    span.start = pseudo.length;
    span.end = pseudo.length += value.copy(pseudo.bytes, pseudo.length, start, end);
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
    out.length += VERSION_LINE.copy(out.bytes, out.length);
    if (!authority.isThere) return;
    out.length += HOST.copy(out.bytes, out.length);
    putSpan(out, authority);
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
    cookies.length += value.copy(cookies.bytes, cookies.length, start, end);
  }

  #putCookies(): void {
    const { out } = this;
    out.reserve(cookies.length + 16);
    putText(out, 'cookie: ');
    out.length += cookies.bytes.copy(out.bytes, out.length, 0, cookies.length);
    putLineEnd(out);
  }

  #putLine(name: Buffer, nameStart: number, nameEnd: number, value: Buffer, valueStart: number, valueEnd: number): void {
    this.#count++;
    const { out } = this;
    out.reserve(nameEnd - nameStart + valueEnd - valueStart + 4);
    out.length += name.copy(out.bytes, out.length, nameStart, nameEnd);
    out.bytes[out.length++] = 58;
    out.bytes[out.length++] = SPACE;
    out.length += value.copy(out.bytes, out.length, valueStart, valueEnd);
    putLineEnd(out);
  }
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
  out.length += pseudo.bytes.copy(out.bytes, out.length, span.start, span.end);
}

function putText(out: OutBytes, text: string): void {
  out.reserve(text.length);
  out.length += out.bytes.write(text, out.length, 'latin1');
}

function putLineEnd(out: OutBytes): void {
  out.reserve(2);
  out.bytes[out.length++] = 13;
  out.bytes[out.length++] = 10;
}
