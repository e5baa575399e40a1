/**
 * One line per exchange, written straight into a buffer. Three formats: json
 * (one object, every key always there, null for what does not apply), and
 * nginx's common and combined. Whatever bytes a client sent, a line stays one
 * line and its fields stay apart: text that is not plain is escaped, as JSON's
 * \u00XX or, in the other two, as nginx's \xXX.
 *
 * Strings of an entry are latin1 (one character, one byte), as heads are.
 */
export interface AccessLogEntry {
  /** Wall time at which the exchange ended, in milliseconds. */
  time: number;
  listener: string;
  /** '' wherever one does not apply: no route matched, no backend was asked, nothing failed. */
  route: string;
  pool: string;
  backend: string;
  client: string;
  method: string;
  target: string;
  /** 10, 11 or 20; 0: not HTTP. */
  httpVersion: number;
  host: string;
  /** 0: the connection ended without an answer. */
  status: number;
  /** Of the request body, and of the answer's body. */
  bytesIn: number;
  bytesOut: number;
  /** First byte of the request to last byte of the answer. */
  durationMs: number;
  /** Until the backend's head of answer; negative: there was none. */
  backendMs: number;
  attempts: number;
  /** One of errorCodes, or ''. */
  error: string;
  requestId: string;
  referer: string;
  userAgent: string;
}

/** To be filled and recorded again and again. */
export function blankEntry(): AccessLogEntry {
  return {
    time: 0, listener: '', route: '', pool: '', backend: '', client: '', method: '', target: '', httpVersion: 11, host: '', status: 0,
    bytesIn: 0, bytesOut: 0, durationMs: 0, backendMs: -1, attempts: 0, error: '', requestId: '', referer: '', userAgent: '',
  };
}

export type AccessFormat = 'json' | 'common' | 'combined';

/**
 * Writes `entry` at `at`; returns the end, or -1 if a string needs escaping:
 * then the caller escapes a copy and says so. Room for `lineBytes(entry)` is
 * the caller's promise.
 */
export type LineFormatter = (bytes: Buffer, at: number, entry: AccessLogEntry, escaped: boolean) => number;

/** More than punctuation, numbers and times of a line ever take; the config's names are counted apart. */
const FIXED_BYTES = 640;
/** Names come from the config, escaped to at most six bytes a character. */
const NAME_ESCAPE = 6;

export function lineBytes(entry: AccessLogEntry): number {
  return FIXED_BYTES + NAME_ESCAPE * (entry.listener.length + entry.route.length + entry.pool.length + entry.backend.length)
    + entry.client.length + entry.method.length + entry.target.length + entry.host.length + entry.error.length
    + entry.requestId.length + entry.referer.length + entry.userAgent.length;
}

/** 1: printable ASCII besides quote and backslash, which stands for itself in all three formats. */
const plain = new Uint8Array(256).fill(1, 0x20, 0x7f);
plain[0x22] = 0;
plain[0x5c] = 0;

/**
 * Strings found plain lately, by length. Agents, hosts and referers repeat:
 * comparing a hundred equal characters takes 16 ns, looking at each 100 ns
 * (bench/micro/access-log.ts).
 */
const knownPlain: string[] = new Array<string>(128).fill('');

interface Latin1Buffer {
  latin1Write(text: string, at: number, length: number): number;
}

/**
 * `write(…, 'latin1')` looks its encoding up in each call, which makes a json
 * line of twenty pieces 1.2 µs instead of 0.7 (bench/micro/access-log.ts). What
 * it comes to is a method that Buffer has but does not document, so it is used
 * only where it is found.
 */
const writeLatin1: (bytes: Buffer, text: string, at: number) => number =
  'latin1Write' in Buffer.prototype
    ? (bytes, text, at) => (bytes as unknown as Latin1Buffer).latin1Write(text, at, text.length)
    : (bytes, text, at) => bytes.write(text, at, text.length, 'latin1');

/** Writes text of a client; -1 if it is neither plain nor escaped. */
function putText(bytes: Buffer, at: number, text: string, escaped: boolean): number {
  const length = text.length;
  writeLatin1(bytes, text, at);
  if (escaped || knownPlain[length & 127] === text) return at + length;
  const end = at + length;
  let allPlain = 1;
  for (let i = at; i < end; i++) allPlain &= plain[bytes[i]!]!;
  if (allPlain === 0) return -1;
  if (length <= 256) knownPlain[length & 127] = text;
  return end;
}

/** Text of ours: ASCII, escaped already. */
function put(bytes: Buffer, at: number, text: string): number {
  return at + writeLatin1(bytes, text, at);
}

function putNumber(bytes: Buffer, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = 48 + value;
    return at + 1;
  }
  // Digits by int32 arithmetic; a body of 2 GiB and more is rare enough for a string.
  if (value > 0x7fffffff) return put(bytes, at, String(Math.floor(value)));
  let digits = 1;
  for (let bound = 10; bound <= value && digits < 10; bound *= 10) digits += 1;
  let rest = value | 0;
  for (let i = at + digits - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    bytes[i] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}

/** Milliseconds with three decimals. */
function putMs(bytes: Buffer, at: number, ms: number): number {
  const us = Math.round(ms * 1000);
  const whole = Math.floor(us / 1000);
  const next = putNumber(bytes, at, whole);
  return putDecimals(bytes, next, us - whole * 1000);
}

function putDecimals(bytes: Buffer, at: number, thousandths: number): number {
  const hundreds = (thousandths / 100) | 0;
  const tens = ((thousandths - hundreds * 100) / 10) | 0;
  bytes[at] = 46;
  bytes[at + 1] = 48 + hundreds;
  bytes[at + 2] = 48 + tens;
  bytes[at + 3] = 48 + thousandths - hundreds * 100 - tens * 10;
  return at + 4;
}

/** Calls `render` once for each second of wall time. */
function perSecond(render: (date: Date) => string): (timeMs: number) => string {
  let second = -1;
  let text = '';
  return (timeMs) => {
    const now = Math.floor(timeMs / 1000);
    if (now !== second) {
      second = now;
      text = render(new Date(now * 1000));
    }
    return text;
  };
}

/** Keeps a bounded number of rendered texts by status. */
function perStatus(render: (status: number) => string): (status: number) => string {
  const rendered: string[] = [];
  return (status) => (rendered[status & 1023] ??= render(status & 1023));
}

export function jsonFormatter(): LineFormatter {
  const head = perSecond((date) => `{"time":"${date.toISOString().slice(0, 19)}`);
  const names = nameTexts();
  const methods = new Map<string, string>();
  const status = perStatus((code) => `","status":${code},"bytesIn":`);
  return (bytes, start, entry, escaped) => {
    let at = put(bytes, start, head(entry.time));
    at = putDecimals(bytes, at, Math.floor(entry.time) % 1000);
    at = put(bytes, at, names(entry));
    if ((at = putText(bytes, at, entry.client, escaped)) < 0) return -1;
    const method = methodText(methods, entry.method, escaped);
    if (method === null) return -1;
    at = put(bytes, at, method);
    if ((at = putText(bytes, at, entry.target, escaped)) < 0) return -1;
    at = put(bytes, at, jsonVersion(entry.httpVersion));
    if ((at = putText(bytes, at, entry.host, escaped)) < 0) return -1;
    at = put(bytes, at, status(entry.status));
    at = putNumber(bytes, at, entry.bytesIn);
    at = put(bytes, at, ',"bytesOut":');
    at = putNumber(bytes, at, entry.bytesOut);
    at = put(bytes, at, ',"durationMs":');
    at = putMs(bytes, at, entry.durationMs);
    return putJsonTail(bytes, at, entry, escaped);
  };
}

function putJsonTail(bytes: Buffer, start: number, entry: AccessLogEntry, escaped: boolean): number {
  let at = start;
  if (entry.backendMs < 0) at = put(bytes, at, ',"backendMs":null');
  else at = putMs(bytes, put(bytes, at, ',"backendMs":'), entry.backendMs);
  if (entry.attempts === 1 && entry.error === '') at = put(bytes, at, ',"attempts":1,"error":null,"requestId":"');
  else {
    at = putNumber(bytes, put(bytes, at, ',"attempts":'), entry.attempts);
    at = put(bytes, at, entry.error === '' ? ',"error":null,"requestId":"' : `,"error":${JSON.stringify(entry.error)},"requestId":"`);
  }
  if ((at = putText(bytes, at, entry.requestId, escaped)) < 0) return -1;
  if (entry.referer === '') at = put(bytes, at, entry.userAgent === '' ? '","referer":null,"userAgent":null}\n' : '","referer":null,"userAgent":"');
  else {
    at = put(bytes, at, '","referer":"');
    if ((at = putText(bytes, at, entry.referer, escaped)) < 0) return -1;
    at = put(bytes, at, entry.userAgent === '' ? '","userAgent":null}\n' : '","userAgent":"');
  }
  if (entry.userAgent === '') return at;
  if ((at = putText(bytes, at, entry.userAgent, escaped)) < 0) return -1;
  return put(bytes, at, '"}\n');
}

/** The part between time and client, which the config's names make up: rendered once for each combination seen. */
function nameTexts(): (entry: AccessLogEntry) => string {
  const byRoute = new Map<string, Map<string, { listener: string; pool: string; text: string }>>();
  return (entry) => {
    let byBackend = byRoute.get(entry.route);
    if (byBackend === undefined) {
      if (byRoute.size >= 4096) byRoute.clear();
      byBackend = new Map<string, { listener: string; pool: string; text: string }>();
      byRoute.set(entry.route, byBackend);
    }
    const known = byBackend.get(entry.backend);
    if (known !== undefined && known.listener === entry.listener && known.pool === entry.pool) return known.text;
    if (byBackend.size >= 16384) byBackend.clear();
    const { listener, pool } = entry;
    const text = `Z","listener":${jsonName(listener)},"route":${jsonName(entry.route)},"pool":${jsonName(pool)},"backend":${jsonName(entry.backend)},"client":"`;
    byBackend.set(entry.backend, { listener, pool, text });
    return text;
  };
}

function jsonName(name: string): string {
  return name === '' ? 'null' : `"${escapeJson(name)}"`;
}

/** The part between client and target; null if the method is neither plain nor escaped. */
function methodText(known: Map<string, string>, method: string, escaped: boolean): string | null {
  const found = known.get(method);
  if (found !== undefined && !escaped) return found;
  if (!escaped && method.search(NOT_PLAIN) !== -1) return null;
  const text = `","method":"${method}","target":"`;
  if (!escaped && known.size < 64) known.set(method, text);
  return text;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** UTC, so that the lines of a tier's members sort together wherever they run. */
function clfTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]!}/${date.getUTCFullYear()}`;
  return ` - - [${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000] "`;
}

export function clfFormatter(combined: boolean): LineFormatter {
  const time = perSecond(clfTime);
  const afterTarget10 = perStatus((code) => ` HTTP/1.0" ${code} `);
  const afterTarget11 = perStatus((code) => ` HTTP/1.1" ${code} `);
  const afterTarget20 = perStatus((code) => ` HTTP/2.0" ${code} `);
  const afterTarget = perStatus((code) => `" ${code} `);
  return (bytes, start, entry, escaped) => {
    let at = start;
    if ((at = putText(bytes, at, entry.client, escaped)) < 0) return -1;
    at = put(bytes, at, time(entry.time));
    if ((at = putText(bytes, at, entry.method, escaped)) < 0) return -1;
    bytes[at++] = 32;
    if ((at = putText(bytes, at, entry.target, escaped)) < 0) return -1;
    at = put(bytes, at, entry.httpVersion === 11 ? afterTarget11(entry.status) : entry.httpVersion === 20 ? afterTarget20(entry.status) : entry.httpVersion === 10 ? afterTarget10(entry.status) : afterTarget(entry.status));
    at = putNumber(bytes, at, entry.bytesOut);
    if (combined) {
      at = put(bytes, at, ' "');
      if ((at = putText(bytes, at, entry.referer === '' ? '-' : entry.referer, escaped)) < 0) return -1;
      at = put(bytes, at, '" "');
      if ((at = putText(bytes, at, entry.userAgent === '' ? '-' : entry.userAgent, escaped)) < 0) return -1;
      bytes[at++] = 34;
    }
    bytes[at++] = 10;
    return at;
  };
}

// eslint-disable-next-line no-control-regex -- control characters are what is to be found
const NOT_PLAIN = /[\u0000-\u001f"\\\u007f-\uffff]/g;

/** ASCII inside a JSON string, one escape for each UTF-16 unit: JSON.parse gives the text back. */
export function escapeJson(text: string): string {
  return text.replace(NOT_PLAIN, (unit) => (unit === '"' ? '\\"' : unit === '\\' ? '\\\\' : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`));
}

/** nginx's escape=default: \xXX for quotes, backslashes, control bytes and bytes from 0x7F on. */
export function escapeClf(text: string): string {
  return text.replace(NOT_PLAIN, (unit) => `\\x${(unit.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`);
}

/** The end of the target and the version behind it. */
function jsonVersion(version: number): string {
  switch (version) {
    case 11:
      return '","httpVersion":"1.1","host":"';
    case 20:
      return '","httpVersion":"2","host":"';
    case 10:
      return '","httpVersion":"1.0","host":"';
    default:
      return '","httpVersion":null,"host":"';
  }
}
