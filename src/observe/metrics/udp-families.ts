/** What UDP listeners counted; others have no sample here. */
import { DROPS, listenerColumns } from '../../shared/counter-pages.ts';
import type { Family } from './family.ts';
import type { ScrapeView } from './scrape-view.ts';

const isUdp = (view: ScrapeView, i: number): boolean => view.config!.snapshot.listeners[i]!.protocol === 'udp';
const listenerRows = (view: ScrapeView): number => view.parts.listeners.length;

export const udpFamilies: readonly Family[] = [
  {
    name: 'weir_udp_sessions',
    type: 'gauge',
    help: 'UDP sessions now: clients by address and port.',
    labels: ['listener'],
    rows: listenerRows,
    put(view, i, put) {
      const { labels, row } = view.parts.listeners[i]!;
      if (isUdp(view, i)) put('', labels, view.source.table.listener(row).connections);
    },
  },
  {
    name: 'weir_udp_datagrams_total',
    type: 'counter',
    help: 'Datagrams received from clients, dropped ones included, and sent to them.',
    labels: ['listener', 'direction'],
    rows: listenerRows,
    put(view, i, put) {
      if (!isUdp(view, i)) return;
      const { labels, row } = view.parts.listeners[i]!;
      put('', `${labels},direction="received"`, view.sum('listeners', row, listenerColumns.datagramsIn));
      put('', `${labels},direction="sent"`, view.sum('listeners', row, listenerColumns.datagramsOut));
    },
  },
  {
    name: 'weir_udp_dropped_total',
    type: 'counter',
    help: 'Datagrams, of either direction, that were not passed on.',
    labels: ['listener', 'reason'],
    rows: listenerRows,
    put(view, i, put) {
      if (!isUdp(view, i)) return;
      const { labels, row } = view.parts.listeners[i]!;
      const cells = view.sums('listeners', row, listenerColumns.dropped, DROPS.length);
      for (const [d, reason] of DROPS.entries()) put('', `${labels},reason="${reason}"`, cells[d]!);
      if (view.udpLosses !== null) put('', `${labels},reason="receive-buffer"`, view.udpLosses[i]!);
    },
  },
];
