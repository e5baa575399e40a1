/**
 * `http`: passes when one request over a fresh connection is answered with an
 * expected status and, where asked for, a text in the first 64 KiB of the
 * body. Redirects are answers like any other. What is sent cannot carry more
 * than one request: path, host, method and headers are checked when the config
 * is read, and the runtime refuses line breaks once more.
 *
 * node:http rather than undici: with a fresh connection for each request it
 * costs 166 µs of this thread against 280 µs, most of it undici's client
 * object and WebAssembly parser, which pay only when a connection is reused.
 */
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { z } from 'zod';
import { errorCodeOf } from '../../net/dial.ts';
import { ProbeAttempt } from './probe-attempt.ts';
import type { ProbeContext, ProbeDefinition, ProbeTarget } from './probe.ts';
import { isInRanges, rangesText, statusRanges } from './status-ranges.ts';

const BODY_BYTES_MAX = 64 * 1024;
/** How long an answer that already decided the result may take to end, so that the backend does not see a reset. */
const LINGER_MS = 1000;
/** A reason stays one readable line, whatever `body` is. */
const REASON_TEXT_MAX = 60;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
/** These frame the request or belong to the connection; the probe sets them. */
const OWN_HEADERS = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

const headerName = z
  .string()
  .regex(TOKEN, { error: 'not a header name' })
  .refine((name) => name.toLowerCase() !== 'host', { error: 'the Host header has its own key: host' })
  .refine((name) => !OWN_HEADERS.has(name.toLowerCase()), { error: 'this header is set by the probe itself' });

const options = z
  .strictObject({
    path: z
      .string()
      .regex(/^(\/[\x21-\x7e]*|\*)$/, { error: 'a path starts with / and holds no spaces or control characters' })
      .default('/')
      .describe('Path and query of the request.'),
    method: z
      .string()
      .regex(TOKEN, { error: 'not an HTTP method' })
      .refine((method) => method.toUpperCase() !== 'CONNECT', { error: 'CONNECT cannot probe' })
      .default('GET')
      .describe('Method of the request.'),
    host: z
      .string()
      .regex(/^[A-Za-z0-9._~:[\]%!$&'()*+,;=-]{1,255}$/, { error: 'not a host' })
      .nullable()
      .default(null)
      .describe("The Host header; absent: the backend's address as written."),
    headers: z
      .record(headerName, z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, { error: 'a header value is one line of latin1' }))
      .default({})
      .describe('Further headers of the request.'),
    expect: statusRanges.prefault('200-399').describe('Status codes that pass: a code, a range, or a list of them.'),
    body: z.string().default('').describe('Text that the first 64 KiB of the answer must hold; empty: any answer will do.'),
  })
  .refine(({ method, body }) => body === '' || method.toUpperCase() !== 'HEAD', { path: ['body'], error: 'an answer to HEAD has no body' });

type Options = z.infer<typeof options>;

export const httpProbe: ProbeDefinition<Options> = {
  name: 'http',
  summary: 'Passes when an HTTP/1.1 request is answered with an expected status.',
  options,
  probe: (target, wanted, context) => new HttpAttempt(target, wanted, context).run(),
};

class HttpAttempt extends ProbeAttempt {
  readonly #options: Options;
  #request: ClientRequest | null = null;
  #response: IncomingMessage | null = null;
  #bodyBytes = 0;

  constructor(target: ProbeTarget, wanted: Options, context: ProbeContext) {
    super(target, context);
    this.#options = wanted;
  }

  protected override begin(): void {
    const { host: address, port } = this.target;
    try {
      this.#request = request({
        createConnection: () => this.context.dial({ address, port }).once('connect', () => (this.isConnected = true)),
        method: this.#options.method,
        path: this.#options.path,
        headers: this.#headers(),
        setHost: false,
      });
    } catch (error) {
      // The runtime found the request unfit to be sent: its own last line of defence.
      return this.fail(error instanceof Error ? error.message : 'request could not be made');
    }
    this.#request.on('response', (response) => this.#onResponse(response));
    this.#request.on('error', (error) => this.#onError(error));
    this.#request.on('close', () => this.#onClose());
    this.#request.end();
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { Host: this.#options.host ?? this.target.address, Connection: 'close' };
    const given = new Set(Object.keys(this.#options.headers).map((name) => name.toLowerCase()));
    if (!given.has('user-agent')) headers['User-Agent'] = 'weir-probe';
    if (!given.has('accept')) headers['Accept'] = '*/*';
    return { ...headers, ...this.#options.headers };
  }

  #onResponse(response: IncomingMessage): void {
    const status = response.statusCode ?? 0;
    this.#response = response;
    response.on('error', () => this.#onClose());
    if (!isInRanges(status, this.#options.expect)) this.fail(`status ${status}, expected ${rangesText(this.#options.expect)}`);
    else if (this.#options.body === '') this.pass();
    else this.#search(response, Buffer.from(this.#options.body, 'utf8'));
    response.on('data', (chunk: Buffer) => {
      this.#bodyBytes += chunk.length;
      if (this.#bodyBytes >= BODY_BYTES_MAX) this.#request?.destroy();
    });
  }

  /** Keeps only as much of what went by as the text could straddle, so that tiny chunks cost no more than large ones. */
  #search(response: IncomingMessage, wanted: Buffer): void {
    let tail = Buffer.alloc(0);
    const lacks = (): void => this.fail(`body lacks ${JSON.stringify(shorten(this.#options.body))}`);
    response.on('data', (chunk: Buffer) => {
      const room = Math.max(0, BODY_BYTES_MAX - this.#bodyBytes);
      const seen = Buffer.concat([tail, chunk.subarray(0, room)]);
      if (seen.includes(wanted)) this.pass();
      else if (chunk.length >= room) lacks();
      tail = seen.subarray(Math.max(0, seen.length - wanted.length + 1));
    });
    response.on('end', lacks);
  }

  #onClose(): void {
    if (this.#response === null) this.fail('closed before it answered');
    // A complete one still has its 'end' to come, which decides.
    else if (!this.#response.complete) this.fail('closed in the middle of its answer');
  }

  #onError(error: Error): void {
    const code = errorCodeOf(error);
    if (code.startsWith('HPE_')) return this.fail(code === 'HPE_HEADER_OVERFLOW' ? 'header of the answer is too large' : 'malformed answer');
    // node's own error for a connection that ended without an answer carries the code of a reset.
    if (error.message === 'socket hang up') return this.fail('closed before it answered');
    this.failBy(error);
  }

  protected override giveUp(): void {
    super.giveUp();
    this.#request?.destroy();
  }

  protected override leave(): void {
    const attempt = this.#request;
    if (attempt === null || attempt.destroyed) return;
    const timer = this.context.clock.after(LINGER_MS, () => attempt.destroy());
    attempt.once('close', () => timer.cancel());
  }
}

function shorten(text: string): string {
  return text.length <= REASON_TEXT_MAX ? text : `${text.slice(0, REASON_TEXT_MAX)}…`;
}
