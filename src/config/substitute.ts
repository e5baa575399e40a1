/**
 * `${NAME}`, `${NAME:-default}`, `$${` and `file:PATH` in the values of a
 * config. Works on scalars that are parsed already, so what a variable holds
 * can never add structure, and is not expanded again.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { decodeUtf8 } from './decode-text.ts';

/** Where substituted text comes from; passed in so that tests and `weir check` choose. */
export interface SubstitutionSource {
  variable(name: string): string | undefined;
  /** Content of `file:PATH`, last newline cut; `path` as written, relative to the config file's folder. Must not throw. */
  readSecret(path: string): SecretRead;
}

export type SecretRead =
  | { readonly ok: true; readonly text: string; /** Absolute. */ readonly file: string }
  | { readonly ok: false; readonly reason: string; /** Absolute. */ readonly file: string };

export const SECRET_PREFIX = 'file:';
export const SECRET_BYTES_MAX = 64 * 1024;
/** Defaults within defaults; more is a mistake or an attack on the stack. */
const DEFAULT_DEPTH_MAX = 8;

/** The process's environment, and files relative to the folder of `configFile`. */
export function processSubstitutions(configFile: string, environment: NodeJS.ProcessEnv = process.env): SubstitutionSource {
  const folder = dirname(resolve(configFile));
  return {
    // A plain object's own keys only: `${constructor}` is not a variable.
    variable: (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
    readSecret: (path) => readSecretFile(resolve(folder, path)),
  };
}

/** Reads a secret's file whole. */
function readSecretFile(file: string): SecretRead {
  let descriptor: number | null = null;
  try {
    // O_NONBLOCK: opening a FIFO that nobody writes to must not hang the proxy.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(descriptor).isFile()) return { ok: false, reason: 'it is not a regular file', file };
    const buffer = Buffer.alloc(SECRET_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const count = readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    if (length > SECRET_BYTES_MAX) return { ok: false, reason: 'it is larger than 64 KiB', file };
    const decoded = decodeUtf8(buffer.subarray(0, length));
    if (decoded === null) return { ok: false, reason: 'it is not UTF-8 text', file };
    return { ok: true, text: decoded.replace(/\r?\n$/, ''), file };
  } catch (error) {
    return { ok: false, reason: readFailure(error), file };
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

function readFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EISDIR: 'it is not a regular file',
    ENXIO: 'it is not a regular file',
    ERR_INVALID_ARG_VALUE: 'that is no path',
  };
  return known[code] ?? code;
}

export interface ExpansionProblem {
  /** Index of the `${` in the text. */
  readonly index: number;
  readonly message: string;
  readonly expected?: string;
}

export interface Expansion {
  readonly text: string;
  readonly problems: readonly ExpansionProblem[];
  /** Names asked for, defaults that were not needed left out. */
  readonly variables: readonly string[];
}

/** Replaces every `${…}` and `$${` in one scalar's text. With problems, `text` is of no use. */
export function expandVariables(text: string, variable: (name: string) => string | undefined): Expansion {
  const expander = new Expander(text, variable);
  const expanded = expander.expand(false, true, 0);
  return { text: expanded, problems: expander.problems, variables: expander.variables };
}

/** A dollar sign or closing brace that means nothing, then all up to the next that may. */
const PLAIN_RUN = /[$}]?[^$}]*/y;
const VARIABLE_HEAD = /\$\{([A-Za-z_][A-Za-z0-9_]*)(\}|:-)/y;
const FORMS = '${NAME} or ${NAME:-default}; a literal ${ is written $${';

class Expander {
  readonly problems: ExpansionProblem[] = [];
  readonly variables: string[] = [];
  readonly #text: string;
  readonly #variable: (name: string) => string | undefined;
  #at = 0;

  constructor(text: string, variable: (name: string) => string | undefined) {
    this.#text = text;
    this.#variable = variable;
  }

  /** Expands up to the end or, `inDefault`, up to the closing brace; an unneeded default is read but not looked up. */
  expand(inDefault: boolean, needed: boolean, depth: number): string {
    const text = this.#text;
    let out = '';
    while (this.#at < text.length) {
      if (inDefault && text[this.#at] === '}') return out;
      if (text.startsWith('$${', this.#at)) {
        out += '${';
        this.#at += 3;
      } else if (text.startsWith('${', this.#at)) {
        out += this.#reference(needed, depth);
      } else {
        PLAIN_RUN.lastIndex = this.#at;
        const run = PLAIN_RUN.exec(text)?.[0] ?? '$';
        out += run;
        this.#at += run.length;
      }
    }
    return out;
  }

  #reference(needed: boolean, depth: number): string {
    const start = this.#at;
    VARIABLE_HEAD.lastIndex = start;
    const head = VARIABLE_HEAD.exec(this.#text);
    const name = head?.[1];
    if (head === null || name === undefined || depth >= DEFAULT_DEPTH_MAX) {
      const shown = /^\$\{[^}]{0,30}\}?/.exec(this.#text.slice(start))?.[0] ?? '${';
      return this.#fail(start, `\`${shown}\` is no variable`, FORMS);
    }
    this.#at = start + head[0].length;
    const value = needed ? this.#lookUp(name) : '';
    if (head[2] === '}') {
      if (value === undefined) this.problems.push({ index: start, message: `the variable ${name} is not set`, expected: `a value for ${name}, or a default: \${${name}:-default}` });
      return value ?? '';
    }
    const useDefault = value === undefined || value === '';
    const fallback = this.expand(true, needed && useDefault, depth + 1);
    if (this.#text[this.#at] !== '}') return this.#fail(start, `\`\${${name}:-\` has no closing brace`, FORMS);
    this.#at++;
    return useDefault ? fallback : value;
  }

  #lookUp(name: string): string | undefined {
    this.variables.push(name);
    return this.#variable(name);
  }

  /** One problem per scalar is enough: what follows cannot be told apart any more. */
  #fail(index: number, message: string, expected: string): string {
    if (this.#at <= this.#text.length) this.problems.push({ index, message, expected });
    this.#at = this.#text.length + 1;
    return '';
  }
}
