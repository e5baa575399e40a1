/**
 * A worker's access log: a line for each exchange that ended, to a file or to
 * stdout. `record` only fills a buffer; nothing here waits for the disk, and
 * lines the disk does not take are dropped and counted (see line-writer.ts).
 * Many workers, and many proxies, may write one file.
 */
import type { LogSpec } from '../shared/snapshot.ts';
import { clfFormatter, escapeClf, escapeJson, jsonFormatter, lineBytes, type AccessLogEntry, type LineFormatter } from './access-format.ts';
import { LINE_BUFFER_BYTES, LineWriter, type LineTarget } from './line-writer.ts';

export type AccessLogReport = (text: string, fields: Readonly<Record<string, unknown>>) => void;

const STDOUT_FD = 1;

/** An escape takes six bytes at most, and seven strings are a client's: cut to this, any line fits the buffer. */
const ESCAPED_BYTES_MAX = 6;
const FILE_TEXT_MAX = Math.floor(LINE_BUFFER_BYTES / 2 / 7);
/** Six long strings of this and the rest fit a pipe's 4096 bytes. */
const PIPE_TEXT_MAX = 480;

export class AccessLog {
  readonly #writer: LineWriter;
  readonly #format: LineFormatter;
  readonly #escape: (text: string) => string;

  /** Opens the file at once (appending, made with mode 0640); throws the system's error if that fails. */
  constructor(format: 'json' | 'common' | 'combined', target: LineTarget, report: AccessLogReport, heldBytesMax?: number) {
    this.#writer = new LineWriter(target, report, heldBytesMax);
    this.#format = format === 'json' ? jsonFormatter() : clfFormatter(format === 'combined');
    this.#escape = format === 'json' ? escapeJson : escapeClf;
  }

  /** Lines that could not be written. */
  get dropped(): number {
    return this.#writer.dropped;
  }

  /** Appends one line. The entry is read at once and may be used again by the caller. */
  record(entry: AccessLogEntry): void {
    const writer = this.#writer;
    const bytesMax = lineBytes(entry);
    if (bytesMax > writer.lineBytesMax) {
      this.#recordEscaped(entry);
      return;
    }
    if (!writer.reserve(bytesMax)) return;
    const end = this.#format(writer.bytes, writer.used, entry, false);
    if (end < 0) this.#recordEscaped(entry);
    else writer.commit(end);
  }

  /** Call it some times a second with the monotonic time: lines leave about once a second. */
  tick(nowMs: number): void {
    this.#writer.tick(nowMs);
  }

  /** After a rotation: what was recorded goes to the former file, the rest to the path's. */
  reopen(): void {
    this.#writer.reopen();
  }

  /** Resolves when all that was recorded is written or given up. */
  close(): Promise<void> {
    return this.#writer.close();
  }

  /** The rare line: something in it needs an escape, or is so long that it has to be cut. */
  #recordEscaped(entry: AccessLogEntry): void {
    const writer = this.#writer;
    const whole = this.#escaped(entry, Infinity);
    let line = whole;
    if (lineBytes(whole) > writer.lineBytesMax) line = this.#escaped(entry, writer.lineBytesMax < LINE_BUFFER_BYTES ? PIPE_TEXT_MAX : FILE_TEXT_MAX);
    if (writer.reserve(lineBytes(line))) writer.commit(this.#format(writer.bytes, writer.used, line, true));
  }

  #escaped(entry: AccessLogEntry, bytesMax: number): AccessLogEntry {
    const clean = (text: string): string => {
      const escaped = this.#escape(text);
      // Cut before escaping, never in the middle of an escape.
      return escaped.length <= bytesMax ? escaped : this.#escape(text.slice(0, Math.floor(bytesMax / ESCAPED_BYTES_MAX)));
    };
    return {
      ...entry,
      client: clean(entry.client),
      method: clean(entry.method),
      target: clean(entry.target),
      host: clean(entry.host),
      requestId: clean(entry.requestId),
      referer: clean(entry.referer),
      userAgent: clean(entry.userAgent),
    };
  }
}

/** The log a config asks for; null: none. `to` is `stdout` or a path. */
export function openAccessLog(spec: LogSpec['access'], report: AccessLogReport): AccessLog | null {
  if (spec.format === 'off') return null;
  return new AccessLog(spec.format, spec.to === 'stdout' ? { fd: STDOUT_FD } : { path: spec.to }, report);
}
