/** A listener of one snapshot in one worker: what the next request on any of its connections is held to. */
import { AddressSet } from '../../net/address.ts';
import type { ListenerRow } from '../../shared/backend-table.ts';
import type { ListenerSpec } from '../../shared/snapshot.ts';
import type { RouteTable } from '../route/route-query.ts';
import { firstHelloRoute } from '../route/route-table.ts';
import type { LiveRoute } from './live-route.ts';
import type { LiveTls } from './live-tls.ts';

export class LiveListener {
  readonly spec: ListenerSpec;
  readonly row: ListenerRow;
  /** This worker's page and the index of its first cell (listenerColumns). */
  readonly counters: Float64Array;
  readonly base: number;
  readonly table: RouteTable;
  readonly routes: readonly LiveRoute[];
  readonly trusted: AddressSet;
  /** null: clients speak in the clear. */
  readonly tls: LiveTls | null;
  /** Index of the first route that cannot be judged before the ClientHello was read; behind the last if none is. */
  readonly firstHelloRoute: number;

  constructor(spec: ListenerSpec, row: ListenerRow, counters: { cells: Float64Array; base: number }, table: RouteTable, routes: readonly LiveRoute[], tls: LiveTls | null) {
    this.spec = spec;
    this.row = row;
    this.counters = counters.cells;
    this.base = counters.base;
    this.table = table;
    this.routes = routes;
    this.tls = tls;
    this.trusted = new AddressSet(spec.trustedProxies);
    this.firstHelloRoute = firstHelloRoute(spec.routes);
  }
}
