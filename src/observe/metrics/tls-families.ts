/** What TLS listeners counted, and when their certificates end; others have no sample here. */
import { listenerColumns, TLS_RESULTS } from '../../shared/counter-pages.ts';
import { label, type Family } from './family.ts';
import type { ScrapeView } from './scrape-view.ts';

const listenerRows = (view: ScrapeView): number => view.parts.listeners.length;

export const tlsFamilies: readonly Family[] = [
  {
    name: 'weir_tls_handshakes_total',
    type: 'counter',
    help: 'TLS handshakes of clients by their end: full or resumed, or what was in the way.',
    labels: ['listener', 'result'],
    rows: listenerRows,
    put(view, i, put) {
      if (view.config!.snapshot.listeners[i]!.tls === null) return;
      const { labels, row } = view.parts.listeners[i]!;
      const cells = view.sums('listeners', row, listenerColumns.tlsHandshakes, TLS_RESULTS.length);
      for (const [r, result] of TLS_RESULTS.entries()) put('', `${labels},result="${result}"`, cells[r]!);
    },
  },
  {
    name: 'weir_tls_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When a certificate that a listener shows expires, by the file it was read from.',
    labels: ['listener', 'certificate'],
    rows: listenerRows,
    put(view, i, put) {
      const { tls } = view.config!.snapshot.listeners[i]!;
      const { labels } = view.parts.listeners[i]!;
      const told = new Set<string>();
      for (const { label: name, expiresAtMs } of tls?.certificates ?? []) {
        if (told.has(name)) continue;
        told.add(name);
        put('', `${labels},${label('certificate', name)}`, Math.floor(expiresAtMs / 1000));
      }
    },
  },
];
