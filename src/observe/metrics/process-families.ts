/** What is one for the whole process: its config, its workers, its build. `process_*` are prom-client's. */
import type { Family } from './family.ts';
import { label } from './family.ts';
import type { ScrapeView } from './scrape-view.ts';

const one = (): number => 1;
const ifRunning = (view: ScrapeView): number => (view.config === null ? 0 : 1);

export const processFamilies: readonly Family[] = [
  {
    name: 'weir_config_version',
    type: 'gauge',
    help: 'Number of the running config.',
    labels: [],
    rows: ifRunning,
    put: (view, _row, put) => put('', '', view.config!.snapshot.number),
  },
  {
    name: 'weir_config_last_reload_successful',
    type: 'gauge',
    help: '1 if the last load of the config succeeded.',
    labels: [],
    rows: one,
    put: (view, _row, put) => put('', '', view.source.lastReload().ok ? 1 : 0),
  },
  {
    name: 'weir_config_last_reload_success_timestamp_seconds',
    type: 'gauge',
    help: 'Unix time of the last load that succeeded.',
    labels: [],
    rows: one,
    put: (view, _row, put) => put('', '', view.source.lastReload().succeededAtMs / 1000),
  },
  {
    name: 'weir_worker_utilization_ratio',
    type: 'gauge',
    help: 'Share of the last seconds that a worker’s loop was busy, 0 to 1.',
    labels: ['worker'],
    rows: (view) => view.source.workers().length,
    put(view, row, put) {
      const worker = view.source.workers()[row];
      if (worker !== undefined) put('', label('worker', String(worker.index)), worker.utilization);
    },
  },
  {
    name: 'weir_worker_restarts_total',
    type: 'counter',
    help: 'Workers replaced since the process started.',
    labels: [],
    rows: one,
    put: (view, _row, put) => put('', '', view.source.workers().reduce((total, worker) => total + worker.restarts, 0)),
  },
  {
    name: 'weir_build_info',
    type: 'gauge',
    help: 'Always 1; the label tells the version.',
    labels: ['version'],
    rows: one,
    put: (view, _row, put) => put('', label('version', view.source.version), 1),
  },
];
