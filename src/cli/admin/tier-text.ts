/** The tier as text for a person: versions and members, traffic, what is drained and how far, and what is not up with who saw what. */
import type { MemberAnswer, TierAnswer } from '../../control-plane/admin/answers.ts';
import { left, right } from './status-view.ts';
import { grouped, spanText, tableLines, visibleText } from './text-table.ts';

/** Of verdicts that are not up, and of backends that are drained. */
const LISTED_MAX = 50;

/** `nowMs`: wall time, for ages. */
export function tierText(tier: TierAnswer, nowMs: number): string {
  return sections([headLines(tier), memberLines(tier, nowMs), poolLines(tier), roleLines(tier), drainLines(tier, nowMs), verdictLines(tier, nowMs)]);
}

export function membersText(tier: TierAnswer, nowMs: number): string {
  return sections([headLines(tier), memberLines(tier, nowMs)]);
}

function sections(all: readonly (readonly string[])[]): string {
  const texts = all.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  return `${texts.join('\n\n')}\n`;
}

function headLines({ name, controlPlane, reason, leader, config, rollout, members }: TierAnswer): string[] {
  const ready = members.filter(({ state }) => state === 'ready').length;
  const parts = [
    `tier ${name}`,
    `${ready}/${members.length} members ready`,
    leader === null ? 'no leader' : `leader ${visibleText(leader)}`,
    config === null ? 'no committed config' : `config ${config.version} (${config.hash.slice(0, 8)})`,
    ...(rollout === null ? [] : [rolloutText(rollout)]),
  ];
  return [parts.join(' · '), ...(controlPlane === 'autonomous' ? [`  as last known: the member asked goes by itself (${visibleText(reason)})`] : [])];
}

function memberLines({ members, leader }: TierAnswer, nowMs: number): string[] {
  if (members.length === 0) return [];
  const columns = [left('MEMBER'), left('STATE'), left('ZONE'), left('ADDRESSES'), left('CONFIG'), right('CPU'), right('MEMORY'), right('CONNECTIONS'), right('UP'), left('VERSION'), left('')];
  const rows = members.map((member) => [
    member.id,
    member.state,
    member.zone === '' ? '-' : member.zone,
    member.addresses.join(' '),
    member.config === null ? '-' : `${member.config.version} (${member.config.hash.slice(0, 8)})`,
    ...usageCells(member),
    spanText(nowMs - Date.parse(member.since)),
    member.software,
    [...(member.id === leader ? ['leader'] : []), ...(member.reason === '' ? [] : [member.reason]), ...drainNote(member)].join(', '),
  ]);
  return tableLines(columns, rows);
}

function rolloutText({ version, phase, canaries }: NonNullable<TierAnswer['rollout']>): string {
  if (phase === 'canary') return `version ${version} tried on by ${visibleText(canaries.join(', '))}`;
  return phase === 'validate' ? `version ${version} being checked` : `version ${version} on its way`;
}

function drainNote({ drain }: MemberAnswer): string[] {
  return drain === null ? [] : [`drained at ${drain.by}${drain.reason === '' ? '' : ` (${drain.reason})`}`];
}

function usageCells({ usage }: MemberAnswer): string[] {
  if (usage === null) return ['-', '-', '-'];
  return [`${(usage.cpu * 100).toFixed(0)}%`, `${(usage.rssBytes / 1024 / 1024).toFixed(0)} MiB`, grouped(usage.connections)];
}

function poolLines({ pools }: TierAnswer): string[] {
  const entries = Object.entries(pools);
  if (entries.length === 0) return [];
  const rows = entries.flatMap(([name, { backends = {}, ...total }]) => [
    [name, grouped(total.inFlight), grouped(total.requests), grouped(total.failures)],
    ...Object.entries(backends).map(([address, traffic]) => [`  ${address}`, grouped(traffic.inFlight), grouped(traffic.requests), grouped(traffic.failures)]),
  ]);
  return tableLines([left('POOL'), right('IN FLIGHT'), right('REQUESTS'), right('FAILURES')], rows);
}

function roleLines({ roles }: TierAnswer): string[] {
  if (roles.length === 0) return [];
  const rows = roles.map(({ pool, primary, epoch, phase, waitsFor }) => [pool, primary ?? '-', phase === 'withdrawing' ? 'being changed' : phase, String(epoch), waitsFor.length === 0 ? '' : `waits for ${waitsFor.join(' ')}`]);
  return tableLines([left('ROLE POOL'), left('PRIMARY'), left('PHASE'), right('EPOCH'), left('')], rows);
}

function drainLines({ draining }: TierAnswer, nowMs: number): string[] {
  if (draining.length === 0) return [];
  const rows = draining.slice(0, LISTED_MAX).map(({ pool, address, state, at, inFlight, drained, busy, unheard, by, reason }) => {
    const missing = [...(busy.length === 0 ? [] : [`busy: ${busy.join(' ')}`]), ...(unheard.length === 0 ? [] : [`not heard: ${unheard.join(' ')}`])];
    return [`${pool}/${address}`, state, spanText(nowMs - Date.parse(at)), grouped(inFlight), drained ? 'yes' : `no (${missing.join('; ')})`, `${by}${reason === '' ? '' : ` (${reason})`}`];
  });
  const lines = tableLines([left('OUT OF SERVICE'), left('STATE'), right('SINCE'), right('IN FLIGHT'), left('DRAINED'), left('BY')], rows);
  if (draining.length > LISTED_MAX) lines.push(`… and ${grouped(draining.length - LISTED_MAX)} more`);
  return lines;
}

function verdictLines({ verdicts }: TierAnswer, nowMs: number): string[] {
  if (verdicts.length === 0) return ['Every backend is up.'];
  const rows = verdicts.slice(0, LISTED_MAX).flatMap(({ pool, address, verdict, ejected, since, seenBy }) =>
    seenBy.map((sight, i) => [
      i === 0 ? `${pool}/${address}` : '',
      i === 0 ? `${verdict}${ejected ? ', ejected here' : ''}` : '',
      i === 0 ? spanText(nowMs - Date.parse(since)) : '',
      `${sight.member}: ${sight.verdict}${sight.reason === '' ? '' : ` (${sight.reason})`}`,
    ]),
  );
  const lines = tableLines([left('BACKEND'), left('VERDICT'), right('SINCE'), left('SEEN BY')], rows);
  if (verdicts.length > LISTED_MAX) lines.push(`… and ${grouped(verdicts.length - LISTED_MAX)} more`);
  return lines;
}
