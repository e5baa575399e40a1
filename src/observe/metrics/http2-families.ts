/** What http listeners counted of HTTP/2. */
import { HTTP2_ERRORS, listenerColumns } from '../../shared/counter-pages.ts';
import type { Family } from './family.ts';
import type { ScrapeView } from './scrape-view.ts';

const rows = (view: ScrapeView): number => view.parts.listeners.length;
const isHttp = (view: ScrapeView, i: number): boolean => view.config!.snapshot.listeners[i]!.protocol === 'http';

export const http2Families: readonly Family[] = [
  {
    name: 'weir_http2_connections_total',
    type: 'counter',
    help: 'Client connections that spoke HTTP/2.',
    labels: ['listener'],
    rows,
    put(view, i, put) {
      if (!isHttp(view, i)) return;
      const { labels, row } = view.parts.listeners[i]!;
      put('', labels, view.sum('listeners', row, listenerColumns.http2Connections));
    },
  },
  {
    name: 'weir_http2_refused_total',
    type: 'counter',
    help: 'HTTP/2 connections closed because the client broke a rule or went beyond a bound, by the error code it was told.',
    labels: ['listener', 'code'],
    rows,
    put(view, i, put) {
      if (!isHttp(view, i)) return;
      const { labels, row } = view.parts.listeners[i]!;
      const cells = view.sums('listeners', row, listenerColumns.http2Refused, HTTP2_ERRORS.length);
      for (const [e, code] of HTTP2_ERRORS.entries()) if (cells[e] !== 0) put('', `${labels},code="${code}"`, cells[e]!);
    },
  },
];
