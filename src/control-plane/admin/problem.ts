/** What went wrong with a call, as problem+json (RFC 9457). Thrown anywhere below dispatch, which turns it into the answer. */
export const PROBLEM_TYPE = 'application/problem+json';

const titles = {
  400: 'Bad request',
  401: 'Not authorised',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Request timeout',
  409: 'Conflict',
  412: 'Precondition failed',
  413: 'Too large',
  415: 'Unsupported media type',
  421: 'Misdirected request',
  422: 'Config refused',
  431: 'Header too large',
  500: 'Internal error',
  503: 'Not available',
} as const;

export type ProblemStatus = keyof typeof titles;

export interface ProblemExtras {
  /** Members beside the standard ones: `problems`, `reasons`. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export class CallProblem extends Error {
  readonly status: ProblemStatus;
  readonly extras: ProblemExtras;

  /** `detail` is one sentence for the person who called. */
  constructor(status: ProblemStatus, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.status = status;
    this.extras = extras;
  }

  /** `about:blank`: the title is that of the status (RFC 9457 §4.2.1). */
  body(): string {
    return JSON.stringify({ type: 'about:blank', title: titles[this.status], status: this.status, detail: this.message, ...this.extras.members });
  }
}
