/** What listeners and their routes counted, and the time of exchanges as clients saw it. */
import { errorCodes, errorSpecs } from '../../base/errors.ts';
import { DURATION_BUCKETS, METHODS, REFUSALS, listenerColumns, requestStatuses, routeColumns } from '../../shared/counter-pages.ts';
import { CODE_CLASSES, type Family } from './family.ts';
import { putHistogram } from './histogram.ts';
import type { ScrapeView } from './scrape-view.ts';

const listenerRows = (view: ScrapeView): number => view.parts.listeners.length;
/** Families of one protocol have no samples of listeners of another. */
const speaks = (view: ScrapeView, i: number, protocol: 'http' | 'tcp'): boolean => view.config!.snapshot.listeners[i]!.protocol === protocol;
const routeRows = (view: ScrapeView): number => view.parts.routes.length;

export const listenerFamilies: readonly Family[] = [
  {
    name: 'weir_http_requests_total',
    type: 'counter',
    help: 'Requests answered, by method and exact status code.',
    labels: ['listener', 'method', 'code'],
    rows: listenerRows,
    put(view, i, put) {
      if (!speaks(view, i, 'http')) return;
      const { labels, row } = view.parts.listeners[i]!;
      const cells = view.sums('listeners', row, listenerColumns.requests, METHODS.length * requestStatuses.count);
      // Of 4000 possible pairs only those that occurred are told.
      for (const [m, method] of METHODS.entries()) {
        for (let s = 0; s < requestStatuses.count; s++) {
          const value = cells[m * requestStatuses.count + s]!;
          if (value !== 0) put('', `${labels},method="${method}",code="${requestStatuses.min + s}"`, value);
        }
      }
    },
  },
  {
    name: 'weir_http_request_duration_seconds',
    type: 'histogram',
    help: 'Time from the first byte of a request to the last byte of its answer.',
    labels: ['listener'],
    rows: listenerRows,
    put(view, i, put) {
      if (!speaks(view, i, 'http')) return;
      const { labels, row } = view.parts.listeners[i]!;
      const buckets = view.sums('listeners', row, listenerColumns.durationBuckets, DURATION_BUCKETS);
      putHistogram(put, labels, buckets, view.sum('listeners', row, listenerColumns.durationSecondsSum));
    },
  },
  {
    name: 'weir_http_errors_total',
    type: 'counter',
    help: 'Exchanges that failed, by error (see the errors page) and whose doing it was.',
    labels: ['listener', 'error', 'side'],
    rows: listenerRows,
    put(view, i, put) {
      if (!speaks(view, i, 'http')) return;
      const { labels, row } = view.parts.listeners[i]!;
      const cells = view.sums('listeners', row, listenerColumns.errors, errorCodes.length);
      for (const [e, code] of errorCodes.entries()) put('', `${labels},error="${code}",side="${errorSpecs[code].side}"`, cells[e]!);
    },
  },
  {
    name: 'weir_listener_connections',
    type: 'gauge',
    help: 'Client connections open now, idle ones included.',
    labels: ['listener'],
    rows: listenerRows,
    put(view, i, put) {
      const { labels, row } = view.parts.listeners[i]!;
      put('', labels, view.source.table.listener(row).connections);
    },
  },
  {
    name: 'weir_listener_connections_total',
    type: 'counter',
    help: 'Client connections accepted.',
    labels: ['listener'],
    rows: listenerRows,
    put(view, i, put) {
      const { labels, row } = view.parts.listeners[i]!;
      put('', labels, view.sum('listeners', row, listenerColumns.connectionsTotal));
    },
  },
  {
    name: 'weir_listener_refused_total',
    type: 'counter',
    help: 'Client connections closed before they came to anything: the limit was reached, the proxy was draining, a TLS handshake did not come about; of tcp, no route matched, or no backend took it.',
    labels: ['listener', 'reason'],
    rows: listenerRows,
    put(view, i, put) {
      const { labels, row } = view.parts.listeners[i]!;
      const cells = view.sums('listeners', row, listenerColumns.refused, REFUSALS.length);
      for (const [r, reason] of REFUSALS.entries()) put('', `${labels},reason="${reason}"`, cells[r]!);
    },
  },
  {
    name: 'weir_listener_bytes_total',
    type: 'counter',
    help: 'Bytes received from clients and sent to them.',
    labels: ['listener', 'direction'],
    rows: listenerRows,
    put(view, i, put) {
      const { labels, row } = view.parts.listeners[i]!;
      put('', `${labels},direction="received"`, view.sum('listeners', row, listenerColumns.bytesIn));
      put('', `${labels},direction="sent"`, view.sum('listeners', row, listenerColumns.bytesOut));
    },
  },
  {
    name: 'weir_tcp_connection_seconds',
    type: 'histogram',
    help: 'How long tcp connections lasted that a backend took.',
    labels: ['listener'],
    rows: listenerRows,
    put(view, i, put) {
      if (!speaks(view, i, 'tcp')) return;
      const { labels, row } = view.parts.listeners[i]!;
      const buckets = view.sums('listeners', row, listenerColumns.tcpSecondsBuckets, DURATION_BUCKETS);
      putHistogram(put, labels, buckets, view.sum('listeners', row, listenerColumns.tcpSecondsSum));
    },
  },
  {
    name: 'weir_route_requests_total',
    type: 'counter',
    help: 'Requests a route took, by class of the answer; error: ended without one, or a tcp connection or udp session that failed.',
    labels: ['listener', 'route', 'code'],
    rows: routeRows,
    put(view, i, put) {
      const { labels, row } = view.parts.routes[i]!;
      const cells = view.sums('routes', row, routeColumns.codeClass, CODE_CLASSES.length);
      for (const [c, code] of CODE_CLASSES.entries()) put('', `${labels},code="${code}"`, cells[c]!);
    },
  },
  {
    name: 'weir_route_request_seconds',
    type: 'summary',
    help: 'Time from the first byte of a request to the last byte of its answer; of tcp and udp, how long connections and sessions lasted.',
    labels: ['listener', 'route'],
    rows: routeRows,
    put(view, i, put) {
      const { labels, row } = view.parts.routes[i]!;
      put('_sum', labels, view.sum('routes', row, routeColumns.secondsSum));
      put('_count', labels, view.sum('routes', row, routeColumns.secondsCount));
    },
  },
];
