/**
 * One attempt of an `http` probe over HTTP/2, for pools that speak it to their
 * backends: the same request as over HTTP/1.1, and the same answers pass.
 */
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { constants } from 'node:http2';
import { BODY_BYTES_MAX, HttpAnswer, type Judgement } from './http-answer.ts';
import type { HttpOptions } from './http-options.ts';
import { Http2Attempt } from './http2-attempt.ts';
import type { ProbeContext, ProbeTarget } from './probe.ts';

/** RFC 9113 §8.2.1: no space at either end of a value, which is none of the value's in HTTP/1.1. */
const OUTER_SPACE = /^[ \t]+|[ \t]+$/g;

export class HttpOverHttp2Attempt extends Http2Attempt {
  /** The body, what of it is on its way when it has been read far enough, heads, and the frames around them. */
  protected override readonly connectionBytesMax = 3 * BODY_BYTES_MAX;
  readonly #options: HttpOptions;
  readonly #answer: HttpAnswer;
  #hasHead = false;

  constructor(target: ProbeTarget, wanted: HttpOptions, context: ProbeContext) {
    super(target, context);
    this.#options = wanted;
    this.#answer = new HttpAnswer(wanted);
  }

  protected override ask(session: ClientHttp2Session, scheme: 'http' | 'https'): ClientHttp2Stream {
    const stream = session.request(this.#headers(scheme), { endStream: true });
    stream.on('response', (head) => {
      this.#hasHead = true;
      this.#judge(this.#answer.status(head[':status'] ?? 0));
    });
    stream.on('data', (chunk: Buffer) => {
      this.#judge(this.#answer.data(chunk));
      if (this.#answer.isFull) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.on('end', () => {
      // A stream that was reset ends, too; its 'error' or 'close' follows.
      if (this.#hasHead && stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted) this.#judge(this.#answer.end());
    });
    return stream;
  }

  protected override ended(): void {
    this.fail(this.#hasHead ? 'closed in the middle of its answer' : 'closed before it answered');
  }

  #headers(scheme: string): OutgoingHttpHeaders {
    const { method, path, host, headers } = this.#options;
    const authority = host ?? this.target.address;
    // The runtime looks at names alone; the config has been checked, this is the last line of defence.
    if (!/^[\x21-\x7e]+$/.test(authority)) throw new Error('its address cannot be sent');
    const asked: OutgoingHttpHeaders = { ':method': method, ':scheme': scheme, ':authority': authority, ':path': path, 'user-agent': 'weir-probe', accept: '*/*' };
    for (const [name, value] of Object.entries(headers)) asked[name.toLowerCase()] = value.replaceAll(OUTER_SPACE, '');
    return asked;
  }

  #judge(judgement: Judgement): void {
    if (judgement === null) return;
    this.isAnswered = true;
    if (judgement === '') this.pass();
    else this.fail(judgement);
  }
}
