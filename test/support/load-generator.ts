/**
 * A steady load in a process of its own: so many requests a second, whether
 * the former ones are answered or not (as long as there are connections), over
 * kept connections and over new ones. Every request is accounted for, in the
 * phase in which it began. Told what to do over IPC (load-messages.ts); ends
 * with its parent.
 */
import { LoadConnection, type Outcome } from './load-connection.ts';
import type { FromLoad, LoadGroup, PhaseReport, Stall, ToLoad } from './load-messages.ts';
import { nextRequest } from './load-requests.ts';

const TICK_MS = 4;
const ANSWER_MS_MAX = 10_000;
/** After a stall of our own the load is made up for, up to this much of it. */
const ARREARS_MS_MAX = 250;
const STALL_MS = 1000;

interface Phase extends PhaseReport {
  lastedMs: number;
  readonly beganMs: number;
  pending: number;
}

const phases: Phase[] = [];
let phase = beginPhase('start');
const groups = new Map<string, Group>();
/** When each request began, in time awake. */
const underWay = new Map<LoadConnection, number>();
/** Grows with time, but not while this process stands still. */
let awakeMs = 0;
const stalls: Stall[] = [];
let longestStallMs = 0;

function tell(message: FromLoad): void {
  process.send!(message);
}

function beginPhase(name: string): Phase {
  const begun: Phase = { name, lastedMs: 0, beganMs: performance.now(), pending: 0, requests: 0, fresh: 0, posts: 0, failures: [], answers: {}, closedByAnswer: 0, closedAtRest: 0 };
  phases.push(begun);
  return begun;
}

class Group {
  readonly #plan: LoadGroup;
  /** Kept connections at rest, the longest resting first; null: to be opened. */
  readonly #resting: (LoadConnection | null)[];
  #kept: number;
  #fresh = 0;
  #due = 0;
  #freshDue = 0;
  #isLeaving = false;

  constructor(plan: LoadGroup) {
    this.#plan = plan;
    this.#kept = plan.kept;
    this.#resting = Array.from({ length: plan.kept }, () => null);
  }

  tick(elapsedMs: number): void {
    const { ratePerSecond, freshShare, freshMax } = this.#plan;
    this.#due = Math.min(this.#due + (ratePerSecond * elapsedMs) / 1000, (ratePerSecond * ARREARS_MS_MAX) / 1000);
    for (; this.#due >= 1; this.#due--) {
      this.#freshDue = Math.min(this.#freshDue + freshShare, freshMax);
      if (this.#freshDue >= 1 && !this.#isLeaving && this.#fresh < freshMax) {
        this.#freshDue--;
        this.#sendFresh();
      } else if (!this.#sendKept()) return;
    }
  }

  leave(): void {
    this.#isLeaving = true;
    const unopened = this.#resting.filter((connection) => connection === null).length;
    this.#kept -= unopened;
    this.#resting.splice(0, this.#resting.length, ...this.#resting.filter((connection) => connection !== null));
    this.#checkLeft();
  }

  #sendFresh(): void {
    this.#fresh++;
    const connection = new LoadConnection(this.#plan.port, () => {});
    this.#send(connection, false, () => {
      this.#fresh--;
      connection.close();
      this.#checkLeft();
    });
  }

  #sendKept(): boolean {
    const resting = this.#resting.shift();
    if (resting === undefined) return false;
    const connection = resting ?? this.#open();
    this.#send(connection, true, (isAnswered) => {
      if (!connection.isOver) this.#resting.push(connection);
      else {
        if (isAnswered) phase.closedByAnswer++;
        this.#reopen();
      }
    });
    return true;
  }

  #open(): LoadConnection {
    const connection: LoadConnection = new LoadConnection(this.#plan.port, () => {
      phase.closedAtRest++;
      this.#resting.splice(this.#resting.indexOf(connection), 1);
      this.#reopen();
    });
    return connection;
  }

  /** A kept connection is gone: another takes its place with the next request, unless the group leaves. */
  #reopen(): void {
    if (!this.#isLeaving) {
      this.#resting.push(null);
      return;
    }
    this.#kept--;
    this.#checkLeft();
  }

  #checkLeft(): void {
    if (!this.#isLeaving || this.#kept > 0 || this.#fresh > 0) return;
    groups.delete(this.#plan.name);
    tell({ kind: 'left', group: this.#plan.name });
  }

  #send(connection: LoadConnection, isKept: boolean, then: (isAnswered: boolean) => void): void {
    const request = nextRequest(isKept);
    const begun = phase;
    const formerAnswers = connection.answers;
    const beganMs = performance.now();
    begun.pending++;
    begun.requests++;
    if (!isKept) begun.fresh++;
    if (request.method === 'POST') begun.posts++;
    underWay.set(connection, awakeMs);
    connection.send(request, ({ kind, detail, status, backend, isSent }: Outcome) => {
      underWay.delete(connection);
      begun.pending--;
      if (kind === 'answered') begun.answers[backend] = (begun.answers[backend] ?? 0) + 1;
      else begun.failures.push({ group: this.#plan.name, kind, detail, status, method: request.method, isKept, formerAnswers, isSent, beganMs, endedMs: performance.now() });
      then(kind === 'answered');
      checkPhases();
    });
  }
}

/** Phases asked for, told once all requests of former ones have ended. */
let awaited: Phase | null = null;

let awaitedRequests = 0;

function checkPhases(): void {
  if (awaitedRequests > 0 && phase.requests - phase.pending >= awaitedRequests) {
    awaitedRequests = 0;
    tell({ kind: 'requests' });
  }
  if (awaited === null || phases.some(({ pending }, index) => pending > 0 && index < phases.indexOf(awaited!))) return;
  tell({ kind: 'phase', name: awaited.name });
  awaited = null;
}

process.on('message', (message: ToLoad) => {
  switch (message.kind) {
    case 'start':
      groups.set(message.group.name, new Group(message.group));
      return;
    case 'leave':
      return groups.get(message.group)!.leave();
    case 'phase':
      phase.lastedMs = performance.now() - phase.beganMs;
      awaited = phase = beginPhase(message.name);
      return checkPhases();
    case 'requests':
      awaitedRequests = message.count;
      return;
    case 'report':
      phase.lastedMs = performance.now() - phase.beganMs;
      return tell({ kind: 'report', report: { phases, stalls, longestStallMs } });
  }
});
process.once('disconnect', () => process.exit(0));

let lastTickMs = performance.now();
setInterval(() => {
  const nowMs = performance.now();
  const elapsedMs = nowMs - lastTickMs;
  longestStallMs = Math.max(longestStallMs, elapsedMs);
  if (elapsedMs >= STALL_MS) stalls.push({ beganMs: lastTickMs, endedMs: nowMs });
  lastTickMs = nowMs;
  awakeMs += Math.min(elapsedMs, ARREARS_MS_MAX);
  for (const group of groups.values()) group.tick(elapsedMs);
  for (const [connection, beganMs] of underWay) {
    // They stand in the order in which they began.
    if (awakeMs - beganMs < ANSWER_MS_MAX) break;
    connection.giveUp();
  }
}, TICK_MS);
