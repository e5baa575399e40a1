/**
 * Whether a canary fails more than the rest: a one-sided test of two shares
 * over what both answered in the same time. Pure.
 */

/** Answers of a member since the canary began, and those of them that were failures of ours or of a backend. */
export interface ErrorCount {
  readonly requests: number;
  readonly errors: number;
}

export type GateVerdict =
  /** `note`: what an operator should know, or ''. */
  | { readonly kind: 'pass'; readonly note: string }
  | { readonly kind: 'fail'; readonly reason: string };

/** Fewer on a side prove nothing. */
export const GATE_REQUESTS_MIN = 100;
const Z_AT_END = 3;
/** Looked at once a moment, chance alone would pass 3 sooner or later: before the end only what leaves no doubt counts. */
const Z_BEFORE_END = 4.5;
/** A difference that nobody would notice is none, however many requests show it. */
const SHARE_DIFFERENCE_MIN = 0.005;

export function judgeCanary(canary: ErrorCount, rest: ErrorCount, atEnd: boolean): GateVerdict {
  if (canary.requests < GATE_REQUESTS_MIN || rest.requests < GATE_REQUESTS_MIN) {
    return { kind: 'pass', note: `too few requests to compare: ${canary.requests} by the canary, ${rest.requests} by the rest, of ${GATE_REQUESTS_MIN} each` };
  }
  const canaryShare = canary.errors / canary.requests;
  const restShare = rest.errors / rest.requests;
  const together = (canary.errors + rest.errors) / (canary.requests + rest.requests);
  const deviation = Math.sqrt(together * (1 - together) * (1 / canary.requests + 1 / rest.requests));
  const difference = canaryShare - restShare;
  const z = deviation === 0 ? 0 : difference / deviation;
  if (z > (atEnd ? Z_AT_END : Z_BEFORE_END) && difference > SHARE_DIFFERENCE_MIN) {
    return { kind: 'fail', reason: `the canary fails more than the rest: ${shareText(canary)} against ${shareText(rest)}` };
  }
  return { kind: 'pass', note: '' };
}

function shareText({ requests, errors }: ErrorCount): string {
  return `${((100 * errors) / requests).toFixed(2)}% of ${requests}`;
}

export function sumCounts(counts: Iterable<ErrorCount>): ErrorCount {
  let [requests, errors] = [0, 0];
  for (const count of counts) {
    requests += count.requests;
    errors += count.errors;
  }
  return { requests, errors };
}
