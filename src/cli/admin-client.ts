/**
 * Commands' way to a running proxy: its admin interface over HTTP. Rejects
 * with AdminError, whose message is for the person at the terminal, for all
 * that can go wrong on the way; what answers has the shape asked for.
 */
import { readFileSync } from 'node:fs';
import { request } from 'undici';
import type { z } from 'zod';
import { problemAnswer } from '../control-plane/admin/answers.ts';
import { visibleText } from './admin/text-table.ts';

/** As commander gives them: a flag's text, else its WEIR_ variable's. */
export interface AdminFlags {
  /** URL, or HOST:PORT as `weir run --admin` takes it. */
  readonly admin?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Where a command prints. */
export interface CommandOutput {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

export class AdminError extends Error {
  override readonly name = 'AdminError';
  /** 1: refused or failed; 2: wrong usage. */
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const DEFAULT_URL = 'http://127.0.0.1:9900';
/** A reload answers when all workers have the config, which takes seconds for a very large one. */
const ANSWER_TIMEOUT_MS = 60_000;
const BODY_TIMEOUT_MS = 10_000;

export class AdminClient {
  readonly url: string;
  readonly #token: string | null;

  /** Throws AdminError for flags that cannot be used. */
  constructor(flags: AdminFlags) {
    this.url = adminUrl(flags.admin ?? DEFAULT_URL);
    this.#token = flags.tokenFile === undefined ? null : readToken(flags.tokenFile);
  }

  get<T>(path: string, shape: z.ZodType<T>): Promise<T> {
    return this.#call('GET', path, undefined, shape);
  }

  post<T>(path: string, body: Readonly<Record<string, unknown>>, shape: z.ZodType<T>): Promise<T> {
    return this.#call('POST', path, JSON.stringify(body), shape);
  }

  /** A config, as its bytes are; `parent`: the version it follows. */
  publish<T>(path: string, bytes: Uint8Array, parent: number | null, shape: z.ZodType<T>): Promise<T> {
    const headers = { 'content-type': 'application/yaml', ...(parent !== null && { 'if-match': `"${parent}"` }) };
    return this.#call('POST', path, bytes, shape, headers);
  }

  /** An answer that is text. */
  async text(path: string): Promise<string> {
    const { status, text } = await this.#exchange('GET', path, undefined, {});
    if (status >= 400) throw new AdminError(problemText(this.url, status, parsedOrNull(text)));
    return text;
  }

  async #call<T>(method: 'GET' | 'POST', path: string, body: string | Uint8Array | undefined, shape: z.ZodType<T>, headers: Readonly<Record<string, string>> = {}): Promise<T> {
    const { status, text } = await this.#exchange(method, path, body, headers);
    const value = parsedOrNull(text);
    if (status >= 400) throw new AdminError(problemText(this.url, status, value));
    const parsed = shape.safeParse(value);
    if (!parsed.success) throw new AdminError(`what answers at ${this.url} is not a proxy of this version: ${parsed.error.issues[0]!.message} at ${parsed.error.issues[0]!.path.join('.') || 'the top'}`);
    return parsed.data;
  }

  async #exchange(method: 'GET' | 'POST', path: string, body: string | Uint8Array | undefined, more: Readonly<Record<string, string>>): Promise<{ status: number; text: string }> {
    const headers = {
      ...(this.#token !== null && { authorization: `Bearer ${this.#token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...more,
    };
    try {
      const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
      const answer = await request(this.url + path, { method, headers, body: body ?? null, signal, headersTimeout: ANSWER_TIMEOUT_MS, bodyTimeout: BODY_TIMEOUT_MS });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (error) {
      throw new AdminError(`no proxy answers at ${this.url} (${reasonOf(error)}); is it running, and is --admin right?`);
    }
  }
}

/** What is no JSON has no shape, and is judged by that. */
function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Runs a command's body; an AdminError becomes its message and exit code. */
export async function withAdmin(name: string, output: CommandOutput, run: () => Promise<void>): Promise<number> {
  try {
    await run();
    return 0;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    output.stderr.write(`weir ${name}: ${error.message}\n`);
    return error.exitCode;
  }
}

/** `http://host:port` of a URL or of a bind; what is bound to every address is reached on loopback. */
function adminUrl(text: string): string {
  const written = /^https?:\/\//i.test(text) ? text : `http://${text.startsWith(':') ? `127.0.0.1${text}` : text}`;
  let url: URL;
  try {
    url = new URL(written);
  } catch {
    throw new AdminError(`--admin ${text}: a URL such as ${DEFAULT_URL} is expected`, 2);
  }
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  return url.origin;
}

function readToken(path: string): string {
  try {
    const token = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (/^[\x21-\x7e]+$/.test(token)) return token;
  } catch (error) {
    throw new AdminError(`--token-file: ${(error as Error).message}`, 2);
  }
  throw new AdminError(`--token-file ${path}: one line of printable characters is expected`, 2);
}

function reasonOf(error: unknown): string {
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name has no address';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || name === 'TimeoutError') return 'no answer in time';
  return visibleText(message || String(code));
}

function problemText(url: string, status: number, value: unknown): string {
  const problem = problemAnswer.safeParse(value);
  if (!problem.success) return `what answers at ${url} is not a proxy's admin interface: status ${status}`;
  const { detail, problems = [] } = problem.data;
  const lines = problems.map(({ file, line, column, severity, message }) => `\n  ${file}:${line}:${column}: ${severity}: ${message}`);
  const hint = status === 401 ? ' (--token-file)' : '';
  return visibleText(detail) + hint + lines.map((line) => `\n${visibleText(line.trim())}`).join('');
}
