/** The tier as this member sees it; without a store there is none of it. */
import type { TierFigures } from '../metrics-source.ts';
import type { Family } from './family.ts';
import { label } from './family.ts';
import { putHistogram } from './histogram.ts';
import type { ScrapeView } from './scrape-view.ts';

const figures = (view: ScrapeView): TierFigures | null => view.source.tier();

export const tierFamilies: readonly Family[] = [
  {
    name: 'weir_tier_members',
    type: 'gauge',
    help: 'Members of the tier that this proxy knows of.',
    labels: ['state'],
    rows: (view) => figures(view)?.members.size ?? 0,
    put(view, row, put) {
      const entry = [...(figures(view)?.members ?? [])][row];
      if (entry !== undefined) put('', label('state', entry[0]), entry[1]);
    },
  },
  {
    name: 'weir_tier_autonomous',
    type: 'gauge',
    help: '1 while this proxy goes by itself, for want of the store.',
    labels: [],
    rows: (view) => (figures(view) === null ? 0 : 1),
    put: (view, _row, put) => put('', '', figures(view)?.autonomous === true ? 1 : 0),
  },
  {
    name: 'weir_store_operation_seconds',
    type: 'histogram',
    help: 'Calls of the store, until their answer or until it counted as away.',
    labels: ['result'],
    rows: (view) => figures(view)?.operations.results.size ?? 0,
    put(view, row, put) {
      const entry = [...(figures(view)?.operations.results ?? [])][row];
      if (entry !== undefined) putHistogram(put, label('result', entry[0]), entry[1].buckets, entry[1].sumSeconds);
    },
  },
];
