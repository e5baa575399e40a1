/** Members of one tier over one store in virtual time, each with a way to it that can be spoiled, and all they were told. */
import { seededRandom } from '../../src/base/random.ts';
import { TierLink, type TierLinkOptions } from '../../src/control-plane/membership/tier-link.ts';
import { TierMemoryStore } from '../../src/control-plane/store/tier-memory-store.ts';
import type { OperatorPut, VerdictReport } from '../../src/control-plane/store/tier-store.ts';
import { FickleTierStore } from './fickle-tier-store.ts';
import { VirtualClock } from './virtual-clock.ts';

export const HEARTBEAT_MS = 1000;
export const LEASE_MS = 3000;

export interface RigMember {
  readonly id: string;
  readonly link: TierLink;
  readonly way: FickleTierStore;
  /** What it was told, a line each. */
  readonly heard: string[];
  readonly logged: string[];
  readonly joined: string[];
  /** Verdicts by check as last told. */
  readonly verdicts: Map<string, string>;
  /** Called within each change of state. */
  onState: (phase: string) => void;
  memberChanges: number;
}

export class LinkRig {
  readonly clock = new VirtualClock();
  readonly store = new TierMemoryStore({ clock: this.clock, random: seededRandom(7) });
  readonly members: RigMember[] = [];
  timing = { heartbeatMs: HEARTBEAT_MS, leaseMs: LEASE_MS, probers: 3 };
  #incarnations = 0;

  add(id: string, options: Partial<TierLinkOptions> & { readonly zone?: string; readonly away?: string } = {}): RigMember {
    const way = new FickleTierStore(this.store, this.clock);
    way.away = options.away ?? null;
    const heard: string[] = [];
    const logged: string[] = [];
    const joined: string[] = [];
    const verdicts = new Map<string, string>();
    const say = (line: string): void => void heard.push(line);
    const link = new TierLink({
      store: way.store,
      id,
      previousIncarnation: null,
      history: () => null,
      clock: this.clock,
      random: seededRandom(this.members.length + 1),
      timing: () => this.timing,
      record: { zone: options.zone ?? '', addresses: [`10.0.0.${this.members.length}`], software: 'test', sinceMs: 0 },
      events: {
        onVerdict: (check, entry) => {
          say(`verdict ${check} ${entry?.verdict ?? 'none'}`);
          verdicts.set(check, entry?.verdict ?? 'none');
        },
        onOperatorState: (key, text) => say(`operator ${key} ${text}`),
        onRole: (pool, record) => say(`role ${pool} ${record === null ? 'none' : `${record.phase} ${record.address}`}`),
        onTickets: (text) => say(`tickets ${text ?? 'none'}`),
        onRead: () => undefined,
        onMembers: () => void member.memberChanges++,
        onSuspicions: (checks) => say(`suspicions ${checks.join(' ')}`),
        onConfig: ({ head }) => say(`config ${head?.number ?? 'none'}`),
        onState: ({ phase, reason }) => {
          say(`state ${phase}${reason === '' ? '' : `: ${reason}`}`);
          member.onState(phase);
        },
      },
      log: { warn: (text, fields) => void logged.push(`${text} ${JSON.stringify(fields)}`), error: (text, fields) => void logged.push(`${text} ${JSON.stringify(fields)}`) },
      onJoined: (incarnation) => void joined.push(incarnation),
      newIncarnation: () => `i${++this.#incarnations}`,
      ...options,
    });
    const member: RigMember = { id, link, way, heard, logged, joined, verdicts, onState: () => undefined, memberChanges: 0 };
    this.members.push(member);
    return member;
  }

  /** Ready members, all connected, and past the time at which anybody still settles. */
  async tier(...ids: string[]): Promise<RigMember[]> {
    const members = ids.map((id) => this.add(id));
    await this.clock.advance(500);
    for (const { link } of members) link.setState('ready');
    await this.clock.advance(LEASE_MS + HEARTBEAT_MS * 2);
    return members;
  }

  async stop(): Promise<void> {
    const stops = this.members.splice(0).map(({ link }) => link.stop());
    await this.clock.advance(2000);
    await Promise.all(stops);
  }
}

export function report(check: string, verdict: VerdictReport['verdict'], atMs = 0): VerdictReport {
  return { check, verdict, reason: 'seen', atMs };
}

export function operatorPut(key: string, stampMs: number, json: string): OperatorPut {
  return { key, stampMs, by: 'ann', text: `${stampMs} ann ${json}` };
}
