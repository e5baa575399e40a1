/** An explanation as text for people. Everything that came from outside is printed quoted or percent-encoded. */
import type { Mismatch } from '../../data-plane/route/mismatch.ts';
import type { ActionExplanation } from './explain-action.ts';
import type { ListenerExplanation, MissExplanation, RouteName } from './explain-listener.ts';
import type { Explanation } from './explanation.ts';

/** Lists longer than this are cut: a route may name thousands of hosts. */
const LIST_MAX = 4;
const CANDIDATES_MAX = 50;
const BODY_SHOWN = 80;

export function explanationText({ request, listeners, note }: Explanation): string {
  const lines = [`${request.method} ${request.target}`, `  host ${quoted(request.host) || 'none'}, from ${request.from}`];
  if (note !== null) lines.push(`  ${note}`);
  for (const listener of listeners) lines.push('', ...listenerLines(listener));
  return `${lines.join('\n')}\n`;
}

function listenerLines(listener: ListenerExplanation): string[] {
  const lines = [`listener ${listener.listener} (${listener.binds.join(', ')})`];
  lines.push(`  client address ${listener.client}`);
  if (listener.readings.length > 1) {
    lines.push('  the path has several readings:');
    for (const { path, route } of listener.readings) lines.push(`    ${path}  → ${route === null ? 'no route' : routeText(route)}`);
  }
  if (listener.outcome === 'no-route') lines.push('  no route takes it: 404');
  else if (listener.outcome === 'ambiguous-path') lines.push('  its readings lead to different routes: 400');
  else lines.push(`  ${routeText(listener.route!)}`);
  if (listener.rateLimit !== null) lines.push(`  at most ${listener.rateLimit}; the others: 429`);
  if (listener.retry !== null) lines.push(`  ${listener.retry}`);
  if (listener.action !== null) lines.push(...actionLines(listener.action));
  if (listener.misses.length > 0) lines.push(`  not taken by:`, ...listener.misses.map((miss) => `    ${routeText(miss)}: ${mismatchText(miss, listener.readings.length > 1)}`));
  if (listener.missesMore > 0) lines.push(`    and ${listener.missesMore} more, further off`);
  return lines;
}

function routeText({ position, name }: RouteName): string {
  return `route ${position} "${name}"`;
}

function actionLines(action: ActionExplanation): string[] {
  switch (action.kind) {
    case 'redirect':
      return [`  → redirect ${action.status} to ${action.location}`];
    case 'respond': {
      const body = action.body.length > BODY_SHOWN ? `${action.body.slice(0, BODY_SHOWN)}…` : action.body;
      return [`  → responds ${action.status}${body === '' ? ', no body' : `, ${action.contentType}: ${quoted(body)}`}`];
    }
    case 'pool': {
      const lines = [`  → pool ${action.pool}, ${action.algorithm}${action.key === null ? '' : ` by ${action.key}`}`];
      lines.push(`    sent as ${action.target}, host ${quoted(action.host) || 'none'}`);
      const someServe = action.candidates.some((candidate) => candidate.serves);
      lines.push(someServe ? '    candidates (*: serves while all are up)' : '    nobody serves: 503');
      const width = Math.max(0, ...action.candidates.map((candidate) => candidate.address.length));
      for (const { address, priority, weight, state, serves } of action.candidates.slice(0, CANDIDATES_MAX)) {
        lines.push(`    ${serves ? '*' : ' '} ${address.padEnd(width)}  priority ${priority}  weight ${weight}  ${state}`);
      }
      if (action.candidates.length > CANDIDATES_MAX) lines.push(`      and ${action.candidates.length - CANDIDATES_MAX} more`);
      return lines;
    }
  }
}

function mismatchText({ mismatch, reading }: MissExplanation, severalReadings: boolean): string {
  const what = mismatch.name === '' ? mismatch.key : `${mismatch.key} ${mismatch.name}`;
  const seen = mismatch.seen.length === 0 ? 'absent' : listText(mismatch.seen.map(quoted), ', ');
  const readAs = severalReadings && mismatch.key !== 'path' && mismatch.key !== 'host' ? ` (path read as ${reading})` : '';
  return `${what} is ${seen}, wanted ${wantedText(mismatch)}${readAs}`;
}

function wantedText({ key, wanted }: Mismatch): string {
  return `${key === 'path' && wanted.length === 1 && wanted[0]!.startsWith('/') ? 'below ' : ''}${listText(wanted, ' or ')}`;
}

function listText(list: readonly string[], separator: string): string {
  const shown = list.slice(0, LIST_MAX).join(separator);
  return list.length > LIST_MAX ? `${shown}${separator}${list.length - LIST_MAX} more` : shown;
}

function quoted(text: string): string {
  return text === '' ? '' : JSON.stringify(text);
}
