/** A route ready to serve: what the relay applies, compiled once a reload. A route that changes nothing costs a few null tests. */
import { latin1 } from '../parse/bytes.ts';
import type { FieldLines } from '../parse/field-lines.ts';
import type { HeaderEdits, RouteSpec } from '../../shared/snapshot.ts';
import { compileRedirect, compileRewrite, type Redirect, type TargetRewrite } from '../route/route-steps.ts';
import type { RouteLimit } from '../limit/route-limit.ts';
import type { LivePool } from './live-pool.ts';
import { LiveRetry } from './live-retry.ts';

/** Header edits of one direction as lookups and ready lines. */
export class LiveEdits {
  /** Folded names that must not pass: removed or set. */
  readonly names: ReadonlySet<string>;
  /** Lines to add, with CR LF. */
  readonly lines: readonly Buffer[];
  readonly bytesMax: number;
  /** Removes or sets a field that this proxy writes itself. */
  readonly touchesOwn: boolean;

  constructor(edits: HeaderEdits) {
    this.names = new Set([...edits.remove, ...edits.set.map(([name]) => name)].map(fold));
    this.lines = [...edits.set, ...edits.add].map(([name, value]) => Buffer.from(`${name}: ${value}\r\n`, 'latin1'));
    this.bytesMax = this.lines.reduce((sum, line) => sum + line.length, 0);
    this.touchesOwn = OWN_FIELDS.some((name) => this.names.has(name));
  }

  removes(bytes: Buffer, fields: FieldLines, index: number): boolean {
    return this.names.has(fold(latin1(bytes, fields.nameStart[index]!, fields.nameEnd[index]!)));
  }
}

const OWN_FIELDS = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-request-id', 'x-forwarded-client-cert'];

function fold(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

export class LiveRoute {
  readonly spec: RouteSpec;
  readonly row: number;
  /** This worker's page and the index of its first cell (routeColumns). */
  readonly counters: Float64Array;
  readonly base: number;
  /** null for respond and redirect. */
  readonly pool: LivePool | null;
  readonly requestEdits: LiveEdits | null;
  readonly answerEdits: LiveEdits | null;
  readonly rewriteHost: string | null;
  readonly rewrite: TargetRewrite | null;
  readonly redirect: Redirect | null;
  readonly limit: RouteLimit | null;
  readonly retry: LiveRetry | null;

  constructor(spec: RouteSpec, row: number, counters: { cells: Float64Array; base: number }, pool: LivePool | null, limit: RouteLimit | null) {
    this.spec = spec;
    this.row = row;
    this.counters = counters.cells;
    this.base = counters.base;
    this.pool = pool;
    this.requestEdits = spec.requestHeaders === null ? null : new LiveEdits(spec.requestHeaders);
    this.answerEdits = spec.responseHeaders === null ? null : new LiveEdits(spec.responseHeaders);
    this.rewriteHost = spec.rewrite?.host ?? null;
    this.rewrite = compileRewrite(spec);
    this.redirect = spec.action.kind === 'redirect' ? compileRedirect(spec, spec.action) : null;
    this.limit = limit;
    this.retry = spec.retry === null ? null : new LiveRetry(spec.retry, spec.timeouts.responseMs);
  }
}
