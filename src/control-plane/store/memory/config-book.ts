/**
 * The config in the memory store: head, rollout, votes on it, and the versions
 * kept. Held by tier-state.ts, which has seen to it that the caller is living
 * (or leads); what is refused here is refused by compare-and-set.
 */
import { VERSION_BYTES_MAX, VERSIONS_MAX, type ConfigHead, type ConfigState, type PublishAnswer, type PublishCall, type RestoreCall, type RolloutEntry, type RolloutStep, type StoredVersion, type Vote } from '../tier-store.ts';
import type { MemberBook } from './member-book.ts';

export type ConfigChange = 'published' | 'stepped' | 'committed' | 'ended' | 'restored';

interface Version extends StoredVersion {
  readonly history: string;
  readonly bytes: Uint8Array;
}

interface StandingVote {
  readonly incarnation: string;
  readonly text: string;
}

export class ConfigBook {
  #epoch = 0;
  #head: ConfigHead | null = null;
  #rollout: RolloutEntry | null = null;
  /** Numbers up to this have been given away. */
  #used = 0;
  #versions = new Map<number, Version>();
  #bytes = 0;
  /** On one number at a time, by member. */
  #votes = new Map<string, StandingVote>();
  #votedNumber = 0;

  copy(): ConfigBook {
    const copy = new ConfigBook();
    copy.#epoch = this.#epoch;
    copy.#head = this.#head;
    copy.#rollout = this.#rollout;
    copy.#used = this.#used;
    copy.#versions = new Map(this.#versions);
    copy.#bytes = this.#bytes;
    copy.#votes = new Map(this.#votes);
    copy.#votedNumber = this.#votedNumber;
    return copy;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get head(): ConfigHead | null {
    return this.#head;
  }

  get state(): ConfigState {
    return { epoch: this.#epoch, head: this.#head, rollout: this.#rollout };
  }

  publish(call: PublishCall, tierMs: number, wallMs: number): Exclude<PublishAnswer, { kind: 'not-living' }> {
    const head = this.#head;
    if (head?.sha === call.sha) return { kind: 'same', number: head.number };
    if ((head?.sha ?? null) !== call.parentSha) return { kind: 'stale', head };
    if (this.#rollout !== null) return { kind: 'busy', number: this.#rollout.number };
    if (call.number <= this.#used) return { kind: 'number', used: this.#used };
    this.#rollout = { number: call.number, step: 1, startedMs: tierMs, text: call.rollout };
    this.#keep({ number: call.number, sha: call.sha, text: call.version, history: head?.history ?? call.history, bytes: call.bytes.slice() });
    this.#startVotes(call.number);
    this.#changed(wallMs);
    return { kind: 'started', number: call.number };
  }

  /** Null: the rollout is not where the caller thinks. */
  step({ number, expectedStep, rollout: text, headText }: RolloutStep, wallMs: number): ConfigChange | null {
    const rollout = this.#rollout;
    const version = this.#versions.get(number);
    if (rollout?.number !== number || rollout.step !== expectedStep || version === undefined) return null;
    if (headText !== null) this.#head = { history: version.history, number, sha: version.sha, text: headText };
    this.#rollout = text === null ? null : { ...rollout, step: rollout.step + 1, text };
    this.#changed(wallMs);
    if (headText !== null) return 'committed';
    return text === null ? 'ended' : 'stepped';
  }

  /** False: what the store has stands. */
  restore({ history, number, sha, headText, version, bytes }: RestoreCall, wallMs: number): boolean {
    if (this.#head !== null && (this.#head.history !== history || this.#head.number >= number)) return false;
    this.#head = { history, number, sha, text: headText };
    if (this.#rollout !== null && this.#rollout.number <= number) this.#rollout = null;
    this.#keep({ number, sha, text: version, history, bytes: bytes.slice() });
    if (this.#rollout === null) this.#startVotes(number);
    this.#changed(wallMs);
    return true;
  }

  vote({ member, incarnation, number, text }: Vote): void {
    if (number === this.#votedNumber) this.#votes.set(member, { incarnation, text });
  }

  votes(number: number, members: MemberBook): ReadonlyMap<string, string> {
    if (number !== this.#votedNumber) return new Map();
    const living = [...this.#votes].filter(([member, { incarnation }]) => members.living({ member, incarnation }) !== null);
    return new Map(living.map(([member, { text }]) => [member, text] as const).sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  versions(): readonly StoredVersion[] {
    return [...this.#versions.values()].sort((a, b) => b.number - a.number).map(({ number, sha, text }) => ({ number, sha, text }));
  }

  version(number: number): (StoredVersion & { readonly bytes: Uint8Array }) | null {
    const version = this.#versions.get(number);
    return version === undefined ? null : { number, sha: version.sha, text: version.text, bytes: version.bytes.slice() };
  }

  #startVotes(number: number): void {
    this.#votes = new Map();
    this.#votedNumber = number;
  }

  /** From the wall, so that a number lost in a failover is not given to another state: no digest would tell the two apart. */
  #changed(wallMs: number): void {
    this.#epoch = Math.max(this.#epoch + 1, wallMs);
  }

  #keep(version: Version): void {
    this.#used = Math.max(this.#used, version.number);
    this.#drop(version.number);
    this.#versions.set(version.number, version);
    this.#bytes += version.bytes.length;
    for (const number of [...this.#versions.keys()].sort((a, b) => a - b)) {
      if (this.#versions.size <= VERSIONS_MAX && this.#bytes <= VERSION_BYTES_MAX) return;
      if (number !== this.#head?.number && number !== this.#rollout?.number) this.#drop(number);
    }
  }

  #drop(number: number): void {
    const version = this.#versions.get(number);
    if (version === undefined) return;
    this.#versions.delete(number);
    this.#bytes -= version.bytes.length;
  }
}
