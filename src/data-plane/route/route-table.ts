/**
 * A listener's routes compiled: find the first whose match holds, at a price
 * that does not grow with their number. What a route says and what the table
 * answers are held together by a property test against a plain loop.
 *
 * Every reading of the path has to lead to the same route (path-readings.ts);
 * "no route" is a result like any other, so a path that is routed by one
 * reading only is ambiguous too.
 */
import { yieldToLoop, type Clock } from '../../base/clock.ts';
import type { RouteSpec } from '../../shared/snapshot.ts';
import { compileConditions } from './conditions.ts';
import { HostIndex } from './host-index.ts';
import { NONE, PathIndex, type IndexedRoute } from './path-index.ts';
import { pathReadings } from './path-readings.ts';
import { FieldSlots, RequestFields } from './request-fields.ts';
import { AMBIGUOUS_PATH, NO_ROUTE, type RouteQuery, type RouteTable } from './route-query.ts';
import { RegexCache } from './whole-regex.ts';

/** Work between two turns of the loop. */
const SLICE_MS = 2;

/** All at once: for small lists, tests and commands. Throws on a regex or address block that the config check let through. */
export function compileRoutes(routes: readonly RouteSpec[]): RouteTable {
  const builder = new TableBuilder();
  for (const step = builder.build(routes); step.next().done !== true; );
  return builder.table;
}

/** The same in slices of about 2 ms, so that 10,000 routes do not hold up the traffic of the worker that compiles them. */
export async function compileRoutesSliced(routes: readonly RouteSpec[], clock: Clock): Promise<RouteTable> {
  const builder = new TableBuilder();
  let sliceEndMs = clock.monotonicMs() + SLICE_MS;
  for (const step = builder.build(routes); step.next().done !== true; ) {
    if (clock.monotonicMs() < sliceEndMs) continue;
    await yieldToLoop();
    sliceEndMs = clock.monotonicMs() + SLICE_MS;
  }
  return builder.table;
}

/** The first route that asks for what a ClientHello says; `routes.length` if none does. Before it a connection is routed without. */
export function firstHelloRoute(routes: readonly RouteSpec[]): number {
  const index = routes.findIndex(({ match }) => match.sni !== null || match.alpn !== null);
  return index === -1 ? routes.length : index;
}

class TableBuilder {
  readonly #slots = new FieldSlots();
  readonly #regexes = new RegexCache();
  readonly #anyHost = new PathIndex();
  readonly #hosts = new HostIndex();
  readonly table: RouteTable = new IndexedTable(this.#anyHost, this.#hosts, this.#slots);

  /** One step is one pair of host and path: a few microseconds, or one regex. */
  *build(routes: readonly RouteSpec[]): Generator<void, void, void> {
    for (let index = 0; index < routes.length; index++) {
      const { match } = routes[index]!;
      const conditions = compileConditions(match, this.#slots, this.#regexes);
      const route: IndexedRoute = { index, conditions: conditions.length === 0 ? null : conditions };
      // A route has one of them at most, by the kind of its listener.
      for (const host of match.host ?? match.sni ?? [null]) {
        const paths = host === null ? this.#anyHost : this.#hosts.pathsOf(host, index);
        for (const path of match.path ?? [null]) {
          paths.add(route, path, this.#regexes);
          yield;
        }
      }
    }
  }
}

class IndexedTable implements RouteTable {
  readonly #anyHost: PathIndex;
  readonly #hosts: HostIndex;
  readonly #request: RequestFields;

  constructor(anyHost: PathIndex, hosts: HostIndex, slots: FieldSlots) {
    this.#anyHost = anyHost;
    this.#hosts = hosts;
    this.#request = new RequestFields(slots);
  }

  find(query: RouteQuery): number {
    this.#request.open(query);
    const found = this.#findInReading();
    if (query.pathMayReadTwoWays && this.#request.pathWasAsked && this.#anotherReadingDiffers(found)) return AMBIGUOUS_PATH;
    return found === NONE ? NO_ROUTE : found;
  }

  /** Routes for any host come first: one that holds early spares the question for the host. */
  #findInReading(): number {
    const found = this.#anyHost.find(this.#request, NONE);
    return this.#hosts.lowest < found ? this.#hosts.find(this.#request, found) : found;
  }

  #anotherReadingDiffers(found: number): boolean {
    const readings = pathReadings(this.#request.path());
    for (let i = 1; i < readings.length; i++) {
      this.#request.readPathAs(readings[i]!);
      if (this.#findInReading() !== found) return true;
    }
    return false;
  }
}
