/** What a test and its load generator (load-generator.ts, a process of its own) say to each other. */

/** Load on one address, until the group is told to leave. */
export interface LoadGroup {
  readonly name: string;
  readonly port: number;
  readonly ratePerSecond: number;
  /** Connections that are kept, and opened again when they were closed. */
  readonly kept: number;
  /** Share of the requests that go over a new connection each. */
  readonly freshShare: number;
  /** New connections open at a time. */
  readonly freshMax: number;
}

export type ToLoad =
  | { readonly kind: 'start'; readonly group: LoadGroup }
  /** No new connections from now on; kept ones go on until the proxy closes them. Answered with `left` when the last is gone. */
  | { readonly kind: 'leave'; readonly group: string }
  /** Requests that begin from now on belong to this phase. Answered with `phase` when those of former ones have ended. */
  | { readonly kind: 'phase'; readonly name: string }
  /** Answered once so many requests of the present phase have been answered. */
  | { readonly kind: 'requests'; readonly count: number }
  | { readonly kind: 'report' };

export type FromLoad =
  | { readonly kind: 'left'; readonly group: string }
  | { readonly kind: 'phase'; readonly name: string }
  | { readonly kind: 'requests' }
  | { readonly kind: 'report'; readonly report: LoadReport };

/**
 * `refused`: no connection. `reset`, `closed`: it was lost before a byte of the
 * answer. `truncated`: in the middle of it. `status`: not 200. `echo`: not the
 * answer to this request. `timeout`: none within 10 s in which the
 * generator itself did not stand still.
 */
export type FailureKind = 'refused' | 'reset' | 'closed' | 'truncated' | 'status' | 'echo' | 'timeout';

export interface LoadFailure {
  readonly group: string;
  readonly kind: FailureKind;
  readonly detail: string;
  readonly status: number;
  readonly method: string;
  readonly isKept: boolean;
  /** Answers the connection had brought before: with none it may not have been accepted yet. */
  readonly formerAnswers: number;
  /** The connection was there and the request, or its beginning, was written to it. */
  readonly isSent: boolean;
  /** On the generator's clock. */
  readonly beganMs: number;
  readonly endedMs: number;
}

/** The generator stood still: with it, most likely, the machine. */
export interface Stall {
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface PhaseReport {
  readonly name: string;
  readonly lastedMs: number;
  requests: number;
  /** Of these, over a new connection each, and with a body. */
  fresh: number;
  posts: number;
  readonly failures: LoadFailure[];
  /** Good answers by the name of the backend that gave them. */
  readonly answers: Record<string, number>;
  /** Kept connections that an answer said would close, and that were closed between two requests. */
  closedByAnswer: number;
  closedAtRest: number;
}

export interface LoadReport {
  readonly phases: readonly PhaseReport[];
  /** Those of a second or more. */
  readonly stalls: readonly Stall[];
  readonly longestStallMs: number;
}
