/** After what the route sends this request again, in the words of its `retry`: a line of `weir explain`. */
import { formatDuration, formatShare } from '../../config/units.ts';
import { GRPC_STATUSES } from '../../shared/grpc-status.ts';
import type { RetrySpec } from '../../shared/snapshot.ts';
import type { AskedRequest } from './explain-request.ts';

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
const GRPC = /^application\/grpc(?:$|[+;\s])/i;
/** Here no backend has looked at the request, so its method does not matter. */
const UNTOUCHED: readonly string[] = ['connect-failure', 'refused-stream'];

/** null: the route asks for none. */
export function retryText(retry: RetrySpec | null, asked: AskedRequest): string | null {
  if (retry === null) return null;
  const names = Object.keys(GRPC_STATUSES).filter((name) => retry.grpcStatuses.includes(GRPC_STATUSES[name]!));
  const when = [...retry.causes, ...retry.statuses.map(String), ...names];
  const after = mayBeRepeated(asked) ? when : when.filter((each) => UNTOUCHED.includes(each));
  const not = when.filter((each) => !after.includes(each));
  const parts = [`sent ${retry.attemptsMax} times at most`];
  parts.push(`again after ${after.length === 0 ? 'nothing that the route names' : after.join(', ')}${not.length === 0 ? '' : ` (not ${not.join(', ')}: of a ${asked.method} nobody knows whether it may be repeated)`}`);
  parts.push(`for ${formatShare(retry.budgetShare)} of requests`);
  if (retry.perTryMs > 0) parts.push(`${formatDuration(retry.perTryMs)} for each`);
  return parts.join(', ');
}

function mayBeRepeated({ method, headers }: AskedRequest): boolean {
  return IDEMPOTENT.has(method) || (method === 'POST' && headers.some(([name, value]) => name === 'content-type' && GRPC.test(value)));
}
