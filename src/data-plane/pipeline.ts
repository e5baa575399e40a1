/**
 * The story of a request, in one place:
 *
 *   1 listen   a socket comes in                    listen/
 *   2 parse    bytes become a head and a body       parse/
 *   3 route    the head finds its route             route/
 *   4 balance  the route's pool finds a backend     balance/
 *   5 connect  the backend gives a connection       connect/
 *   6 relay    the request goes up, the answer down relay/
 *
 * Steps 1 and 2 belong to the client's connection, which calls `begin` with a
 * parsed head. A failure in 5 or 6 comes back here as a code, and this is the
 * only place that picks again, so retry is one loop.
 */
import type { ErrorCode } from '../base/errors.ts';
import { errorSpecs } from '../base/errors.ts';
import { TICK_MS } from '../base/timer-wheel.ts';
import { backendColumns } from '../shared/counter-pages.ts';
import { countAnswer, countEnd, countExchange, countFailure, countStart } from './accounting.ts';
import { hashKey } from './balance/key.ts';
import type { BackendConnection } from './connect/connection-owner.ts';
import type { Exchange } from './exchange.ts';
import type { LivePool } from './live/live-pool.ts';
import type { LiveRoute } from './live/live-route.ts';
import type { RouteLimit } from './limit/route-limit.ts';
import type { WorkerContext } from './live/worker-context.ts';
import { METHOD, type RequestHead } from './parse/request-head.ts';
import type { ResponseHead } from './parse/response-head.ts';
import { errorReply, fixedReply, redirectReply } from './relay/own-replies.ts';
import { requestGreeting } from './relay/proxy-greeting.ts';
import { buildRequestHead, requestIdOf } from './relay/request-head-builder.ts';
import type { RelayOutcome } from './relay/http-relay.ts';
import { answerAsksAgain, countsAttempts, failureAsksAgain, mayBeSentAgain, wasAttempted } from './relay/retry-rules.ts';
import { RetryPause } from './retry-pause.ts';
import { HeadQuery } from './route/head-query.ts';
import { AMBIGUOUS_PATH, NO_ROUTE } from './route/route-query.ts';

/** A body of up to this many bytes that came with the head leaves in the head's own write. */
const JOINED_BODY_BYTES_MAX = 8 * 1024;
/** A backend that wants to be asked again later than this is not waited for. */
const PAUSE_MS_MAX = 10_000;

export class Pipeline implements RelayOutcome {
  readonly #context: WorkerContext;
  readonly #query = new HeadQuery();
  /** The exchange whose backend is being picked: what `#isPassedOver` speaks of. */
  #picking: Exchange | null = null;
  readonly #isPassedOver = (index: number): boolean => {
    const x = this.#picking!;
    return (x.tried !== null && x.tried.includes(index)) || x.pool!.backends[index]!.refusesAnother();
  };

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  protected nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  /** Takes a request whose head was just parsed into `head`; of its body, `firstBody` is there. */
  begin(x: Exchange, head: RequestHead): void {
    x.startedMs = this.#context.clock.monotonicMs();
    // 3 route
    const { table, routes } = x.listener;
    const query = this.#query.open(head, x.clientAddress);
    const index = table.find(query);
    if (index === NO_ROUTE) return this.fail(x, 'no-route');
    if (index === AMBIGUOUS_PATH) return this.fail(x, 'ambiguous-path');
    const route = routes[index]!;
    x.route = route;
    if (route.limit !== null && !route.limit.admits(query, x.startedMs)) return this.#refuse(x, route.limit);
    const { totalMs } = route.spec.timeouts;
    if (totalMs !== 0) x.totalTick = this.#context.wheel.now + Math.ceil(totalMs / TICK_MS) + 1;
    if (route.pool === null) return this.#answerOurselves(x, route, head);
    // The request asks for the answer of whoever it reaches last (RFC 9110 §7.6.2).
    if (head.maxForwards === 0 && head.method === METHOD.options) return this.#answerOptions(x);
    x.pool = route.pool;
    route.retry?.earn();
    const { key } = route.pool.balancer;
    x.keyHash = key === null ? 0 : hashKey(key, query);
    const newTarget = route.rewrite === null ? null : route.rewrite.rewriteTarget(query.path(), query.query());
    const connection = this.#reach(x, route.pool, false);
    if (connection === null) return this.fail(x, 'no-backend');
    // 6 relay
    const joined = x.firstBody.end - x.firstBody.start;
    buildRequestHead(x, head, newTarget, connection, joined <= JOINED_BODY_BYTES_MAX ? joined : 0);
    if (this.#context.accessLog !== null || route.pool.greeting !== null) x.requestId = requestIdOf(connection, x, head);
    this.#start(x, connection, false);
  }

  #start(x: Exchange, connection: BackendConnection, isAgain: boolean): void {
    x.attemptStartedMs = x.attempts === 1 ? x.startedMs : this.#context.clock.monotonicMs();
    const { greeting } = x.pool!;
    if (greeting !== null) connection.greet(requestGreeting(greeting, x));
    if (isAgain) x.relay.startAgain(connection);
    else x.relay.start(connection);
  }

  /** Steps 4 and 5: a connection to a backend, the attempt counted on it; null if none is to be had. */
  #reach(x: Exchange, pool: LivePool, mustBeFresh: boolean): BackendConnection | null {
    this.#picking = x;
    while (true) {
      // 4 balance
      const needsLook = pool.hasLimit || x.tried !== null;
      const index = pool.balancer.pick(x.keyHash, needsLook ? this.#isPassedOver : null);
      if (index === -1) return null;
      const backend = pool.backends[index]!;
      // 5 connect
      const connection = (mustBeFresh || pool.greeting !== null ? null : backend.takeIdle()) ?? backend.open();
      if (connection !== null) {
        x.backendIndex = index;
        x.backend = backend;
        x.attempts++;
        countStart(backend);
        return connection;
      }
      // Another worker took its last place, or its name has no address.
      (x.tried ??= []).push(index);
    }
  }

  onAnswer(x: Exchange): void {
    const nowMs = this.#context.clock.monotonicMs();
    x.backendMs = nowMs - x.attemptStartedMs;
    countAnswer(x, x.backendMs / 1000);
    const { balancer } = x.pool!;
    balancer.ejection.onSuccess(x.backendIndex);
    balancer.observeLatency(x.backendIndex, x.backendMs * 1000, nowMs);
  }

  onComplete(x: Exchange, atOnce: boolean): void {
    countEnd(x.backend!);
    // A clock call is 80 ns; nothing has happened since the head came.
    this.#finish(x, atOnce ? x.attemptStartedMs + x.backendMs : this.#context.clock.monotonicMs());
  }

  onFailure(x: Exchange, code: ErrorCode, detail: string): void {
    const backend = x.backend!;
    countEnd(backend);
    countFailure(x, code, this.#context.clock.monotonicMs());
    if (backend.named && errorSpecs[code].retry === 'connect') this.#context.send({ kind: 'resolve', row: backend.rowNumber });
    this.#context.log(code === 'internal' ? 'error' : 'debug', 'an attempt failed', { pool: x.pool!.spec.name, backend: backend.address, error: code, detail, attempt: x.attempts });
    if (x.relay.isHeld && this.#failsOver(x, code)) return;
    if (x.hasAnswered) {
      x.error = code;
      x.client.abort();
      this.#finish(x);
    } else this.fail(x, code);
  }

  /** What failed is sent again: as it always is, or as its route asks. */
  #failsOver(x: Exchange, code: ErrorCode): boolean {
    if (mayBeSentAgain(x, code)) return this.#sendAgain(x, false);
    const { retry } = x.route!;
    if (retry === null || !failureAsksAgain(x, retry, code) || !retry.spend(this.#context.clock.monotonicMs())) return false;
    if (this.#sendAgain(x, wasAttempted(code))) return true;
    retry.giveBack();
    return false;
  }

  sendsElsewhere(x: Exchange, head: ResponseHead, isLast: boolean, isBare: boolean): boolean {
    const retry = x.route!.retry!;
    const pauseMs = answerAsksAgain(x, retry, head, isBare);
    if (pauseMs === -1 || (pauseMs > 0 && !this.#mayPause(x, pauseMs)) || !retry.spend(this.#context.clock.monotonicMs())) return false;
    const former = x.backend!;
    const connection = pauseMs > 0 ? null : this.#reachAgain(x, false);
    if (pauseMs === 0 && connection === null) {
      retry.giveBack();
      return false;
    }
    countEnd(former);
    x.relay.dropAnswer(isLast);
    if (countsAttempts(x)) x.relay.countAttempt();
    if (connection !== null) this.#startAgain(x, connection);
    else this.#pause(x, pauseMs);
    return true;
  }

  #mayPause(x: Exchange, pauseMs: number): boolean {
    const tick = this.#context.wheel.now + Math.ceil(pauseMs / TICK_MS) + 1;
    return pauseMs <= PAUSE_MS_MAX && x.isBodyComplete && (x.totalTick === 0 || tick < x.totalTick);
  }

  #pause(x: Exchange, pauseMs: number): void {
    x.backendMs = x.status = 0;
    x.pause = new RetryPause(x, this.#onPauseOver);
    this.#context.wheel.set(x.pause, pauseMs);
  }

  readonly #onPauseOver = (x: Exchange): void => {
    x.pause = null;
    const connection = this.#reachAgain(x, false);
    if (connection === null) this.fail(x, 'no-backend');
    else this.#startAgain(x, connection);
  };

  /** The exchange ends without another attempt. */
  #forgetPause(x: Exchange): void {
    if (x.pause === null) return;
    this.#context.wheel.forget(x.pause);
    x.pause = null;
  }

  /** Over a fresh connection. False: there is none. `isCounted`: the backend before may have looked at it. */
  #sendAgain(x: Exchange, isCounted: boolean): boolean {
    const connection = this.#reachAgain(x, true);
    if (connection === null) return false;
    if (isCounted && countsAttempts(x)) x.relay.countAttempt();
    this.#startAgain(x, connection);
    return true;
  }

  /** To another backend if there is one; null: to none. */
  #reachAgain(x: Exchange, mustBeFresh: boolean): BackendConnection | null {
    (x.tried ??= []).push(x.backendIndex);
    const connection = this.#reach(x, x.pool!, mustBeFresh);
    if (connection !== null) return connection;
    // No other one: the same again, if it is still to be had.
    x.tried = null;
    return this.#reach(x, x.pool!, mustBeFresh);
  }

  #startAgain(x: Exchange, connection: BackendConnection): void {
    x.backendMs = x.status = 0;
    x.backend!.counters[x.backend!.base + backendColumns.retries]!++;
    this.#start(x, connection, true);
  }

  /** The client's side ended it: gone, stalled, too large a body. */
  cancel(x: Exchange, code: ErrorCode): void {
    this.#forgetPause(x);
    if (x.relay.isActive) {
      x.relay.cancel();
      countEnd(x.backend!);
    }
    x.error = code;
    this.#finish(x);
  }

  /** The client's side or the route refuses it: answered with our own reply if nothing went out yet. */
  fail(x: Exchange, code: ErrorCode): void {
    this.#forgetPause(x);
    if (x.relay.isActive) {
      x.relay.cancel();
      countEnd(x.backend!);
    }
    x.error = code;
    const { status } = errorSpecs[code];
    if (x.hasAnswered || status === 0) x.client.abort();
    else {
      x.status = status;
      x.client.sendOwnReply(errorReply(code, x.client.wantsJson()));
    }
    this.#finish(x);
  }

  #refuse(x: Exchange, limit: RouteLimit): void {
    x.error = 'rate-limited';
    const reply = errorReply('rate-limited', x.client.wantsJson());
    x.status = reply.status;
    x.client.sendOwnReply({ ...reply, fields: reply.fields + limit.refusalFields() });
    this.#finish(x);
  }

  #answerOurselves(x: Exchange, route: LiveRoute, head: RequestHead): void {
    const { action } = route.spec;
    if (action.kind === 'respond') {
      x.status = action.status;
      x.client.sendOwnReply(fixedReply(action.status, action.contentType, action.body));
    } else if (route.redirect !== null) {
      const query = this.#query.open(head, x.clientAddress);
      x.status = route.redirect.status;
      x.client.sendOwnReply(redirectReply(route.redirect.status, route.redirect.location(query, x.scheme, query.authority())));
    }
    this.#finish(x);
  }

  #answerOptions(x: Exchange): void {
    x.status = 200;
    x.client.sendOwnReply(fixedReply(200, '', ''));
    this.#finish(x);
  }

  #finish(x: Exchange, nowMs = this.#context.clock.monotonicMs()): void {
    countExchange(x, this.#context, nowMs);
    x.client.finish();
  }
}
