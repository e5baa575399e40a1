/**
 * What each backend did: at most 20 series each, whatever the traffic, and
 * always the same ones, so that a rate has a zero to start from.
 */
import type { BackendRow } from '../../shared/backend-table.ts';
import { BACKEND_FAILURES, backendColumns, type BackendFailure } from '../../shared/counter-pages.ts';
import { CODE_CLASSES, type Family, type Put } from './family.ts';
import type { ScrapeView } from './scrape-view.ts';

/**
 * The pages tell nine kinds of failure apart, which with the rest would be 25
 * series a backend. Three say what an operator acts on; which of the nine it
 * was is told by weir_http_errors_total, the access log and the events.
 */
const failureReasons = {
  refused: 'connect',
  'connect-timeout': 'connect',
  'connect-failed': 'connect',
  tls: 'connect',
  'response-timeout': 'timeout',
  stalled: 'timeout',
  lost: 'broken',
  malformed: 'broken',
  incomplete: 'broken',
} as const satisfies Record<BackendFailure, string>;

const REASONS = ['connect', 'timeout', 'broken'] as const;

const backendRows = (view: ScrapeView): number => view.parts.backendLabels.length;

type Read = (cell: (column: number) => number, labels: string, put: Put, table: () => BackendRow) => void;

/** A family whose samples are read from one backend's summed cells or its row in the table. */
function family(name: string, type: Family['type'], labels: readonly string[], help: string, read: Read): Family {
  return {
    name: `weir_backend_${name}`,
    type,
    help,
    labels: ['pool', 'backend', ...labels],
    rows: backendRows,
    put(view, i, put) {
      const base = i * backendColumns.count;
      read((column) => view.backendCells[base + column]!, view.parts.backendLabels[i]!, put, () => view.source.table.backend(view.config!.rows.backends[i]!));
    },
  };
}

export const backendFamilies: readonly Family[] = [
  family('up', 'gauge', [], '1 if the verdict is up (or it is not probed).', (_cell, labels, put, table) => put('', labels, table().verdict === 'up' ? 1 : 0)),
  family('ejected', 'gauge', [], '1 while it is left out because of failed requests.', (_cell, labels, put, table) => put('', labels, table().ejected ? 1 : 0)),
  family('weight', 'gauge', [], 'Weight in force: the operator’s, else the file’s.', (_cell, labels, put, table) => put('', labels, table().weight)),
  family('in_flight', 'gauge', [], 'Requests under way.', (_cell, labels, put, table) => put('', labels, table().inFlight)),
  family('connections', 'gauge', ['state'], 'Connections open now.', (cell, labels, put, table) => {
    // Two threads' numbers read at two moments: never less than none.
    const open = table().connections;
    const idle = Math.max(0, Math.min(open, cell(backendColumns.connectionsIdle)));
    put('', `${labels},state="active"`, open - idle);
    put('', `${labels},state="idle"`, idle);
  }),
  family('requests_total', 'counter', ['code'], 'Attempts by class of the answer; error: none came.', (cell, labels, put) => {
    for (const [c, code] of CODE_CLASSES.entries()) put('', `${labels},code="${code}"`, cell(backendColumns.codeClass + c));
  }),
  family('response_seconds', 'summary', [], 'Time from a request sent to the head of the answer.', (cell, labels, put) => {
    put('_sum', labels, cell(backendColumns.responseSecondsSum));
    put('_count', labels, cell(backendColumns.responseCount));
  }),
  family('failures_total', 'counter', ['reason'], 'Failed attempts: connect (refused, failed, timed out, or TLS failed), timeout (silent before or in the answer), broken (connection lost, answer malformed or cut short).', (cell, labels, put) => {
    for (const reason of REASONS) {
      let total = 0;
      for (const [f, failure] of BACKEND_FAILURES.entries()) if (failureReasons[failure] === reason) total += cell(backendColumns.failures + f);
      put('', `${labels},reason="${reason}"`, total);
    }
  }),
  family('retries_total', 'counter', [], 'Requests sent here again after another attempt failed.', (cell, labels, put) => put('', labels, cell(backendColumns.retries))),
  family('bytes_total', 'counter', ['direction'], 'Bytes sent to it and received from it.', (cell, labels, put) => {
    put('', `${labels},direction="sent"`, cell(backendColumns.bytesToBackend));
    put('', `${labels},direction="received"`, cell(backendColumns.bytesFromBackend));
  }),
];
