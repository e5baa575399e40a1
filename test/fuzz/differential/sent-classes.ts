/** What really left for a backend, against our reading of what the client sent: every complete request once, in order, and nothing else. */
import type { OurReading } from './our-reading.ts';
import type { Seen } from './peer-rig.ts';
import type { ReadRequest } from './reading.ts';

/** Texts of what is wrong; none is expected. */
export function checkSent(ours: OurReading, seen: Seen): string[] {
  const due = ours.requests.filter((request) => !endsWithUs(request)).map(asSent);
  const wrong: string[] = [];
  if (!seen.isCanaryNext) wrong.push('unexplained: the next request was not seen as it was sent');
  if (seen.statuses.includes('stuck')) wrong.push('unexplained: never answered');
  const came = seen.requests.map(({ method, target, body }) => JSON.stringify([method, target, body]));
  if (JSON.stringify(came) !== JSON.stringify(due)) wrong.push(`unexplained: ${JSON.stringify(due)} were due, sent were ${JSON.stringify(seen.requests)} (answered ${seen.statuses.join()})`);
  return wrong;
}

/** OPTIONS that may be forwarded no further is answered here (RFC 9110 §7.6.2). */
function endsWithUs({ method, fields }: ReadRequest): boolean {
  return method === 'OPTIONS' && fields.some(([name, value]) => name.toLowerCase() === 'max-forwards' && Number(value) === 0);
}

function asSent({ method, target, body }: ReadRequest): string {
  const rest = /^http:\/\/[^/?]*(.*)$/i.exec(target)?.[1] ?? null;
  const sent = rest === null ? target : rest === '' && method === 'OPTIONS' ? '*' : rest.startsWith('/') ? rest : `/${rest}`;
  return JSON.stringify([method, sent, body]);
}
