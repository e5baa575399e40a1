/**
 * The log of the process itself, on stderr (stdout is for answers of commands
 * and the access log). Main thread only; workers send it messages. JSON lines
 * by pino, or the same as text by pino-pretty; level and format may change at
 * any time. To a file or terminal lines are written at once; to a pipe, whose
 * reader may have stopped, they are written asynchronously, so that it stops
 * nothing: beyond 1 MiB lines are dropped. `flush` before exit.
 *
 * Fields named like a secret are replaced; text of others cannot forge lines
 * or move a terminal's cursor.
 */
import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { LogSpec } from '../shared/snapshot.ts';
import { hideSecrets } from './hide-secrets.ts';

export type LogLevel = LogSpec['level'];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  write(level: LogLevel, text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  /** An Error under the key `err` is written with its stack. */
  error(text: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogSpec['format'];
  /** Default: 2, stderr. */
  readonly fd?: number;
  /** Colours in text; default: if stderr is a terminal. */
  readonly colour?: boolean;
  /** Wall time in milliseconds, for the stamp. */
  readonly wallMs: () => number;
}

const HELD_BYTES_MAX = 1024 * 1024;
const PIPE_FLUSH_MS = 20;

// eslint-disable-next-line no-control-regex -- control characters are what is to be found
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

export class ProcessLog implements Log {
  readonly #destination: ReturnType<typeof pino.destination>;
  readonly #logger: Logger;
  readonly #colour: boolean;
  readonly #waits: boolean;
  #pretty: ((line: string) => string) | null = null;

  constructor(options: LogOptions) {
    const fd = options.fd ?? 2;
    this.#colour = options.colour ?? (fd === 2 && process.stderr.isTTY);
    this.#waits = isatty(fd) || fstatSync(fd).isFile();
    this.#destination = pino.destination({ fd, sync: this.#waits, maxLength: HELD_BYTES_MAX });
    // A reader of stderr that went away is no reason to stop.
    this.#destination.on('error', () => {});
    this.#logger = pino(
      {
        base: null,
        timestamp: () => `,"time":"${new Date(options.wallMs()).toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
        messageKey: 'text',
      },
      { write: (line: string) => void this.#destination.write(this.#pretty === null ? line : this.#pretty(line)) },
    );
    this.configure(options);
  }

  /** Takes effect with the next line. */
  configure(options: Pick<LogOptions, 'level' | 'format'>): void {
    this.#logger.level = options.level;
    this.#pretty = options.format === 'text' ? textLines(this.#colour) : null;
  }

  write(level: LogLevel, text: string, fields?: LogFields): void {
    if (fields === undefined) this.#logger[level](text);
    // Under names of their own, so that no field can pass for the line's time, level or text.
    else this.#logger[level](hideSecrets(ownNames(fields)), text);
  }

  debug(text: string, fields?: LogFields): void {
    this.write('debug', text, fields);
  }
  info(text: string, fields?: LogFields): void {
    this.write('info', text, fields);
  }
  warn(text: string, fields?: LogFields): void {
    this.write('warn', text, fields);
  }
  error(text: string, fields?: LogFields): void {
    this.write('error', text, fields);
  }

  /** Writes what is held, waiting for it; for the moment before exit. Holds the thread for up to 20 ms. */
  flush(): void {
    // A write that is under way belongs to another thread: what can be done is to give that time to end it.
    if (!this.#waits) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_FLUSH_MS);
    try {
      this.#destination.flushSync();
    } catch {
      // Not open yet, or gone: there is nowhere to say so.
    }
  }
}

function ownNames(fields: LogFields): Record<string, unknown> {
  const named: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const own = name === 'time' || name === 'level' || name === 'text' ? `${name}_` : name;
    // An error's message and stack are not among its enumerable fields, so it is made plain before anything looks at those.
    named[own] = own === 'err' && value instanceof Error ? pino.stdSerializers.err(value) : value;
  }
  return named;
}

function textLines(colour: boolean): (line: string) => string {
  const pretty = prettyFactory({ colorize: colour, singleLine: true, translateTime: 'SYS:HH:MM:ss.l', messageKey: 'text', ignore: 'pid,hostname' });
  return (line) => {
    const clean = JSON.stringify(JSON.parse(line), (name, value: unknown) => (typeof value === 'string' ? visible(name, value) : value));
    return pretty(clean) ?? '';
  };
}

/** Stacks keep their lines, which pino-pretty indents; nothing else may break one. */
function visible(name: string, text: string): string {
  return text.replace(CONTROL, (unit) => (unit === '\n' && name === 'stack' ? unit : `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}`));
}
