/** What pools did as a whole: answers of their backends, probes, verdicts, panic. */
import type { Verdict } from '../../shared/backend-table.ts';
import { DURATION_BUCKETS, poolColumns } from '../../shared/counter-pages.ts';
import { isPanicking, standingsOf } from '../pool-standings.ts';
import type { Family } from './family.ts';
import { putHistogram } from './histogram.ts';
import type { ScrapeView } from './scrape-view.ts';

const poolRows = (view: ScrapeView): number => view.parts.pools.length;

export const poolFamilies: readonly Family[] = [
  {
    name: 'weir_pool_response_seconds',
    type: 'histogram',
    help: 'Time from a request sent to a backend to the head of its answer.',
    labels: ['pool'],
    rows: poolRows,
    put(view, i, put) {
      const { labels, row } = view.parts.pools[i]!;
      const buckets = view.sums('pools', row, poolColumns.responseBuckets, DURATION_BUCKETS);
      putHistogram(put, labels, buckets, view.sum('pools', row, poolColumns.responseSecondsSum));
    },
  },
  {
    name: 'weir_pool_backends',
    type: 'gauge',
    help: 'Backends by verdict; unprobed ones are up.',
    labels: ['pool', 'verdict'],
    rows: poolRows,
    put(view, i, put) {
      const { labels, spec, first } = view.parts.pools[i]!;
      const counts: Record<Verdict, number> = { up: 0, down: 0, unknown: 0 };
      for (const { verdict } of standingsOf(view.source.table, spec, view.config!.rows.backends, first)) counts[verdict] += 1;
      for (const [verdict, backends] of Object.entries(counts)) put('', `${labels},verdict="${verdict}"`, backends);
    },
  },
  {
    name: 'weir_pool_panic',
    type: 'gauge',
    help: '1 while so few backends are usable that verdicts are ignored.',
    labels: ['pool'],
    rows: poolRows,
    put(view, i, put) {
      const { labels, spec, first } = view.parts.pools[i]!;
      put('', labels, isPanicking(spec, standingsOf(view.source.table, spec, view.config!.rows.backends, first)) ? 1 : 0);
    },
  },
  {
    name: 'weir_pool_primary',
    type: 'gauge',
    help: 'Of a role pool: 1 for the backend that is served, 0 for the others.',
    labels: ['pool', 'backend'],
    rows: poolRows,
    put(view, i, put) {
      const { spec, first } = view.parts.pools[i]!;
      const status = view.source.roleStatus(spec.name);
      if (status === null) return;
      for (const [b, { address }] of spec.backends.entries()) put('', view.parts.backendLabels[first + b]!, address === status.primary ? 1 : 0);
    },
  },
  {
    name: 'weir_pool_role_epoch',
    type: 'gauge',
    help: 'Of a role pool: epoch of the record that says whom it serves, 0 while there is none.',
    labels: ['pool'],
    rows: poolRows,
    put(view, i, put) {
      const { labels, spec } = view.parts.pools[i]!;
      const status = view.source.roleStatus(spec.name);
      if (status !== null) put('', labels, status.epoch);
    },
  },
  {
    name: 'weir_pool_fenced',
    type: 'gauge',
    help: 'Of a role pool: 1 while its fence has stopped it.',
    labels: ['pool'],
    rows: poolRows,
    put(view, i, put) {
      const { labels, spec } = view.parts.pools[i]!;
      const status = view.source.roleStatus(spec.name);
      if (status !== null) put('', labels, status.isFenced ? 1 : 0);
    },
  },
  {
    name: 'weir_probes_total',
    type: 'counter',
    help: 'Health probes that ended, by result.',
    labels: ['pool', 'result'],
    rows: poolRows,
    put(view, i, put) {
      const { labels, spec } = view.parts.pools[i]!;
      const counts = view.source.probeCounts(spec.name);
      if (counts === null) return;
      put('', `${labels},result="pass"`, counts.passed);
      put('', `${labels},result="fail"`, counts.failed);
    },
  },
  {
    name: 'weir_verdict_changes_total',
    type: 'counter',
    help: 'Changes of a backend’s verdict, by the new one.',
    labels: ['pool', 'to'],
    rows: poolRows,
    put(view, i, put) {
      const { labels, spec } = view.parts.pools[i]!;
      const counts = view.source.probeCounts(spec.name);
      if (counts === null) return;
      put('', `${labels},to="up"`, counts.toUp);
      put('', `${labels},to="down"`, counts.toDown);
    },
  },
];
