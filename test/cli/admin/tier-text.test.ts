import { describe, expect, it } from 'vitest';
import { membersText, tierText } from '../../../src/cli/admin/tier-text.ts';
import type { MemberAnswer, TierAnswer } from '../../../src/control-plane/admin/answers.ts';

const NOW_MS = Date.UTC(2026, 0, 2, 4, 0, 0);
const since = new Date(NOW_MS - 3_700_000).toISOString();
const sha = 'c0ffee'.padEnd(64, '0');

function member(id: string, parts: Partial<MemberAnswer> = {}): MemberAnswer {
  const usage = { cpu: 0.42, rssBytes: 128 * 1024 * 1024, workers: 2, connections: 1234, busiestWorker: 0.3 };
  return { id, state: 'ready', reason: '', drain: null, zone: '', addresses: ['192.0.2.1:80'], since, software: '1.2.3', config: { version: 7, hash: sha, effectiveHash: sha }, usage, ...parts };
}

function tier(parts: Partial<TierAnswer> = {}): TierAnswer {
  return { name: 'edge', controlPlane: 'connected', reason: '', leader: 'a', config: { version: 7, hash: sha, history: 'h' }, rollout: null, members: [member('a', { zone: 'east' })], pools: {}, roles: [], draining: [], verdicts: [], ...parts };
}

const golden = (name: string, text: string): Promise<void> => expect(text).toMatchFileSnapshot(`../../golden/status/${name}.txt`);

describe('the tier for a person', () => {
  it('shows all there is', () =>
    golden(
      'tier',
      tierText(
        tier({
          rollout: { version: 8, startedMs: 5, phase: 'canary', by: 'a', canaries: ['b'] },
          members: [
            member('a', { zone: 'east' }),
            member('b', { state: 'draining', reason: 'draining', drain: { reason: 'kernel update', by: 'a', at: since } }),
            member('c', { state: 'joining', reason: 'starting: no first verdict yet on 10.0.0.1:80', config: null, usage: null }),
          ],
          pools: { web: { requests: 1_234_567, failures: 12, inFlight: 34, backends: { '10.0.0.1:80': { requests: 1_234_567, failures: 12, inFlight: 34 } } }, api: { requests: 0, failures: 0, inFlight: 0 } },
          roles: [
            { pool: 'db', primary: '10.0.1.1:6379', epoch: 1767225606814, phase: 'admitted', waitsFor: [] },
            { pool: 'sql', primary: null, epoch: 1767225606900, phase: 'withdrawing', waitsFor: ['b', 'c'] },
          ],
          draining: [
            { pool: 'web', address: '10.0.0.2:80', state: 'drain', reason: 'disk swap', by: 'a', at: since, drained: false, inFlight: 3, busy: ['a'], unheard: ['c'] },
            { pool: 'web', address: '10.0.0.3:80', state: 'disabled', reason: '', by: 'b', at: since, drained: true, inFlight: 0, busy: [], unheard: [] },
          ],
          verdicts: [
            { pool: 'web', address: '10.0.0.4:80', verdict: 'down', ejected: true, since, seenBy: [{ member: 'a', verdict: 'down', reason: 'connect refused', at: since }, { member: 'b', verdict: 'up', reason: '', at: since }] },
          ],
        }),
        NOW_MS,
      ),
    ));

  it('says that it is as last known while the member asked goes by itself', () => {
    const text = membersText(tier({ controlPlane: 'autonomous', reason: 'no answer in 1000 ms', leader: null, config: null }), NOW_MS);
    expect(text.split('\n').slice(0, 2)).toEqual(['tier edge · 1/1 members ready · no leader · no committed config', '  as last known: the member asked goes by itself (no answer in 1000 ms)']);
  });

  it('says of a version on its way what is being done with it', () => {
    const head = (phase: 'validate' | null): string => membersText(tier({ rollout: { version: 8, startedMs: 5, phase, by: 'a', canaries: [] } }), NOW_MS).split('\n')[0]!;
    expect([head('validate'), head(null)].map((line) => line.split(' · ').at(-1))).toEqual(['version 8 being checked', 'version 8 on its way']);
  });

  it('lists fifty of what is not well, and cannot be made to move the cursor', () => {
    const verdicts = Array.from({ length: 60 }, (_, i) => ({ pool: 'web', address: `10.0.0.${i}:80`, verdict: 'down' as const, ejected: false, since, seenBy: [{ member: 'a', verdict: 'down' as const, reason: '\u001b[2J', at: since }] }));
    const text = tierText(tier({ verdicts }), NOW_MS);
    expect(text).toContain('… and 10 more');
    expect(text.split('\n').filter((line) => line.startsWith('web/'))).toHaveLength(50);
    expect(text).not.toContain('\u001b');
  });
});
