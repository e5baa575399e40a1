/**
 * `grpc`: passes when grpc.health.v1.Health/Check, called over HTTP/2 on a
 * fresh connection, says SERVING. A backend without that service
 * (UNIMPLEMENTED) or that does not know the one asked for (NOT_FOUND) fails
 * with that for a reason.
 */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { z } from 'zod';
import { checkRequest, whyNotServing } from './grpc-health.ts';
import { Http2Attempt } from './http2-attempt.ts';
import type { ProbeContext, ProbeDefinition, ProbeTarget } from './probe.ts';

const PATH = '/grpc.health.v1.Health/Check';
/** The answer is two bytes; whoever sends more says something else. */
const BODY_BYTES_MAX = 1024;

const options = z.strictObject({
  service: z.string().max(256).default('').describe('The service asked about; empty: the server as a whole.'),
});

type Options = z.infer<typeof options>;

export const grpcProbe: ProbeDefinition<Options> = {
  name: 'grpc',
  summary: 'Passes when grpc.health.v1.Health/Check over HTTP/2 says SERVING.',
  options,
  alpn: () => ['h2'],
  probe: (target, wanted, context) => new GrpcAttempt(target, wanted, context).run(),
};

class GrpcAttempt extends Http2Attempt {
  protected override readonly connectionBytesMax = 64 * 1024;
  readonly #options: Options;
  readonly #chunks: Buffer[] = [];
  #bodyBytes = 0;
  #head: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
  #trailers: IncomingHttpHeaders = {};

  constructor(target: ProbeTarget, wanted: Options, context: ProbeContext) {
    super(target, context);
    this.#options = wanted;
  }

  protected override ask(session: ClientHttp2Session, scheme: 'http' | 'https'): ClientHttp2Stream {
    const call = session.request({
      ':method': 'POST', ':scheme': scheme, ':path': PATH, ':authority': this.target.address,
      te: 'trailers', 'content-type': 'application/grpc', 'user-agent': 'weir-probe',
    });
    call.on('response', (headers) => (this.#head = headers));
    call.on('trailers', (headers) => (this.#trailers = headers));
    call.on('data', (chunk: Buffer) => {
      this.#bodyBytes += chunk.length;
      const status = this.#head[':status'];
      if (this.#bodyBytes > BODY_BYTES_MAX) this.fail(status === 200 ? 'malformed answer' : `HTTP status ${status}`);
      else this.#chunks.push(chunk);
    });
    return call.end(checkRequest(this.#options.service));
  }

  /** Trailers may come after 'end': only 'close' is behind everything. */
  protected override ended(): void {
    const [head, trailers] = [this.#head, this.#trailers];
    if (head[':status'] === undefined) return this.fail('closed before it answered');
    const answer = { httpStatus: head[':status'], code: one(trailers['grpc-status'] ?? head['grpc-status']), message: one(trailers['grpc-message'] ?? head['grpc-message']), body: Buffer.concat(this.#chunks) };
    const reason = whyNotServing(answer, this.#options.service);
    this.isAnswered = true;
    if (reason === null) this.pass();
    else this.fail(reason);
  }
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
