/**
 * Streams of HTTP/2 that are closed, kept for the next requests. Of all
 * connections of a listener in a worker, in the clear or over TLS, so that one
 * without requests holds none. A stream that comes back is over for good:
 * nobody who had to do with its former request may turn to it any more.
 */
import type { Pipeline } from '../pipeline.ts';
import type { Http2Connection } from './http2-connection.ts';
import { Http2Stream } from './http2-stream.ts';

const SPARE_MAX = 256;

export class SpareStreams {
  /** That of all its exchanges. */
  readonly pipeline: Pipeline;
  readonly #spare: Http2Stream[] = [];

  constructor(pipeline: Pipeline) {
    this.pipeline = pipeline;
  }

  /** One for a request of `client`. */
  take(client: Http2Connection): Http2Stream {
    const stream = this.#spare.pop();
    if (stream === undefined) return new Http2Stream(client);
    stream.moveTo(client);
    return stream;
  }

  giveBack(stream: Http2Stream): void {
    if (this.#spare.length < SPARE_MAX) this.#spare.push(stream);
  }
}
