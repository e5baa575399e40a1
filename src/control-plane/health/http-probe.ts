/**
 * `http`: passes when one request over a fresh connection is answered with an
 * expected status and, where asked for, a text in the first 64 KiB of the
 * body. Redirects are answers like any other. It goes out in the pool's
 * version of HTTP: this file has HTTP/1.1, http-over-http2.ts the other.
 *
 * node:http rather than undici: with a fresh connection for each request it
 * costs 166 µs of this thread against 280 µs, most of it undici's client
 * object and WebAssembly parser, which pay only when a connection is reused.
 */
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { errorCodeOf } from '../../net/dial.ts';
import { HttpAnswer, type Judgement } from './http-answer.ts';
import { httpOptions, type HttpOptions } from './http-options.ts';
import { HttpOverHttp2Attempt } from './http-over-http2.ts';
import { ProbeAttempt } from './probe-attempt.ts';
import type { ProbeContext, ProbeDefinition, ProbeTarget } from './probe.ts';

/** How long an answer that already decided the result may take to end, so that the backend does not see a reset. */
const LINGER_MS = 1000;

export const httpProbe: ProbeDefinition<HttpOptions> = {
  name: 'http',
  summary: "Passes when a request, in the pool's version of HTTP, is answered with an expected status.",
  options: httpOptions,
  alpn: (wanted, overHttp2) => (isOverHttp2(wanted, overHttp2) ? ['h2'] : ['http/1.1']),
  probe: (target, wanted, context) => (isOverHttp2(wanted, context.overHttp2) ? new HttpOverHttp2Attempt(target, wanted, context) : new HttpAttempt(target, wanted, context)).run(),
};

function isOverHttp2({ protocol }: HttpOptions, overHttp2: boolean | undefined): boolean {
  return overHttp2 === true && protocol !== 'http1';
}

class HttpAttempt extends ProbeAttempt {
  readonly #options: HttpOptions;
  readonly #answer: HttpAnswer;
  #request: ClientRequest | null = null;
  #response: IncomingMessage | null = null;

  constructor(target: ProbeTarget, wanted: HttpOptions, context: ProbeContext) {
    super(target, context);
    this.#options = wanted;
    this.#answer = new HttpAnswer(wanted);
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
    this.#response = response;
    response.on('error', () => this.#onClose());
    this.#judge(this.#answer.status(response.statusCode ?? 0));
    response.on('data', (chunk: Buffer) => {
      this.#judge(this.#answer.data(chunk));
      if (this.#answer.isFull) this.#request?.destroy();
    });
    response.on('end', () => this.#judge(this.#answer.end()));
  }

  #judge(judgement: Judgement): void {
    if (judgement === '') this.pass();
    else if (judgement !== null) this.fail(judgement);
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
