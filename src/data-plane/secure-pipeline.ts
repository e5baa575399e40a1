/**
 * The pipeline of requests that came over TLS. One step comes before it: a
 * connection was made to one name, and its certificate was checked for that by
 * the client; a request for another host over it is taken only if the
 * certificate is for that host too (RFC 9110 §15.5.20). A client that gave no
 * name has not been promised any.
 */
import { authorityHost } from './route/head-query.ts';
import type { Exchange } from './exchange.ts';
import type { RequestHead } from './parse/request-head.ts';
import { Pipeline } from './pipeline.ts';

export class SecurePipeline extends Pipeline {
  override begin(x: Exchange, head: RequestHead): void {
    const { shown } = x;
    if (shown !== null && shown.serverName !== '' && head.authorityEnd > head.authorityStart) {
      const host = authorityHost(head);
      if (host !== shown.serverName && !shown.covers(host)) {
        x.startedMs = this.nowMs();
        return this.fail(x, 'misdirected-request');
      }
    }
    super.begin(x, head);
  }
}
