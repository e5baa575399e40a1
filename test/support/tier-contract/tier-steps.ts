/**
 * Random steps on a tier's store, from a seed: what members of a small tier may
 * do in any order, sensible or not. They are plain values, so that two stores
 * can be taken through the same ones (tier-step-runner.ts).
 */
import { seededRandom, type Random } from '../../../src/base/random.ts';
import type { OperatorPut, VerdictReport } from '../../../src/control-plane/store/tier-store.ts';
import { operatorPut } from './calls.ts';
import { namedChecks } from './tables.ts';

/** `former`: under the incarnation before its newest, as a proxy that does not know yet. */
export interface Actor {
  /** null: whoever leads, as last heard. */
  readonly member: string | null;
  readonly former: boolean;
}

export type TierStep =
  | { readonly kind: 'join'; readonly member: string; readonly previous: 'own' | 'none' | 'wrong'; readonly again: boolean; readonly history: string | null; readonly record: string }
  | {
      readonly kind: 'call';
      readonly by: Actor;
      /** The number of its last call once more. */
      readonly resent: boolean;
      /** It has forgotten all it had read. */
      readonly anew: boolean;
      readonly probers: number;
      readonly state: 'joining' | 'ready' | 'draining' | null;
      readonly record: string | null;
      readonly beside: string | null;
      readonly reports: readonly VerdictReport[];
      readonly suspicions: readonly string[];
      readonly operatorStates: readonly OperatorPut[];
      /** It says what it has reported, to be compared. */
      readonly compares: boolean;
    }
  /** Its lease ends. */
  | { readonly kind: 'lapse'; readonly by: Actor }
  | { readonly kind: 'leave' | 'stepOut'; readonly by: Actor }
  | { readonly kind: 'publish'; readonly by: Actor; readonly onHead: boolean; readonly number: number; readonly sha: string; readonly history: string; readonly bytes: number }
  | { readonly kind: 'step'; readonly by: Actor; readonly ahead: number; readonly ends: boolean; readonly commits: boolean }
  | { readonly kind: 'vote'; readonly by: Actor; readonly text: string }
  | { readonly kind: 'restore'; readonly by: Actor; readonly number: number; readonly history: string; readonly bytes: number }
  | { readonly kind: 'raiseProtocol'; readonly by: Actor; readonly protocol: number; readonly membersEpoch: number }
  | { readonly kind: 'forget'; readonly by: Actor; readonly checks: readonly string[] }
  | { readonly kind: 'watch'; readonly pool: string }
  | { readonly kind: 'takeTokens'; readonly by: Actor; readonly asks: readonly { readonly key: string; readonly tokens: number }[] }
  | { readonly kind: 'moveRole'; readonly by: Actor; readonly ahead: number; readonly address: string | null }
  | { readonly kind: 'acknowledgeRole'; readonly by: Actor; readonly ahead: number; readonly address: string | null }
  | { readonly kind: 'admitRole'; readonly by: Actor; readonly ahead: number }
  /** `knows`: it has read what there is. */
  | { readonly kind: 'putTickets'; readonly by: Actor; readonly knows: boolean; readonly text: string | null }
  /** Everything that is read without a call. */
  | { readonly kind: 'look'; readonly after: number };

export const members = ['a', 'b', 'c', 'd', 'e', 'f'];
export const ROLE_POOL = 'db é';
const fewChecks = namedChecks('tcp://é', 8);
const manyChecks = namedChecks('http://many', 400);
const states = ['joining', 'ready', 'ready', 'ready', 'draining', null, null, null] as const;

export function randomTierSteps(seed: number, count = 200): readonly TierStep[] {
  const maker = new StepMaker(seededRandom(seed));
  return [...members.slice(0, 3).flatMap((member) => maker.arrival(member)), ...Array.from({ length: count }, () => maker.next())];
}

class StepMaker {
  readonly #random: Random;
  #stampMs = 100;
  #version = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  arrival(member: string): TierStep[] {
    return [{ kind: 'join', member, previous: 'own', again: false, history: null, record: '{}' }, { ...this.#call(), by: { member, former: false }, state: 'ready' } as TierStep];
  }

  next(): TierStep {
    const roll = this.#random.next() * 100;
    if (roll < 45) return this.#call();
    if (roll < 53) return this.#roleStep();
    if (roll < 65) return this.#join();
    if (roll < 67) return { kind: 'lapse', by: this.#actor() };
    if (roll < 68) return { kind: 'leave', by: this.#actor() };
    if (roll < 71) return { kind: 'stepOut', by: this.#actor() };
    if (roll < 89) return this.#configStep();
    if (roll < 91) return { kind: 'forget', by: this.#leader(), checks: this.#chance(0.2) ? manyChecks : this.#some(fewChecks, 3) };
    if (roll < 91.5) return { kind: 'putTickets', by: this.#leader(), knows: this.#chance(0.8), text: this.#pick(['keys', 'këys', '', null]) };
    if (roll < 92) return { kind: 'watch', pool: this.#pick(['web', 'api', 'ü']) };
    if (roll < 95) return { kind: 'takeTokens', by: this.#actor(), asks: this.#some(['x', 'y', 'z'], 3).map((key) => ({ key, tokens: this.#random.below(6) })) };
    return { kind: 'look', after: this.#random.below(100) };
  }

  #call(): TierStep {
    return {
      kind: 'call',
      by: this.#actor(),
      resent: this.#chance(0.08),
      anew: this.#chance(0.1),
      probers: this.#pick([1, 3, 3, 3, 5]),
      state: this.#pick(states),
      record: this.#chance(0.1) ? `{"zone":"z${this.#random.below(3)}"}` : null,
      beside: this.#chance(0.2) ? `beside ${this.#random.below(100)}` : null,
      reports: this.#chance(0.02) ? manyChecks.map((check) => this.#report(check, 'ö'.repeat(190))) : this.#some(fewChecks, 4).map((check) => this.#report(check, this.#pick(['', 'ok', 'connection refused: "é 😀"', 'a b  c ']))),
      suspicions: this.#some(fewChecks, 2),
      operatorStates: this.#chance(0.2) ? this.#some(['k1', 'k2', 'k 3'], 2).map((key) => this.#operatorPut(key)) : [],
      compares: this.#chance(0.5),
    };
  }

  #join(): TierStep {
    return {
      kind: 'join',
      member: this.#pick(members),
      previous: this.#pick(['own', 'own', 'own', 'none', 'wrong']),
      again: this.#chance(0.15),
      history: this.#pick([null, null, 'h', 'other']),
      record: this.#chance(0.03) ? JSON.stringify('x'.repeat(70_000)) : `{"zone":"z${this.#random.below(3)}"}`,
    };
  }

  #configStep(): TierStep {
    const by = this.#actor();
    const bytes = this.#random.below(1000);
    const history = this.#chance(0.9) ? 'h' : 'other';
    const roll = this.#random.below(8);
    if (roll < 2) {
      this.#version += this.#random.below(3);
      return { kind: 'publish', by, onHead: this.#chance(0.85), number: this.#version, sha: this.#chance(0.2) ? 'shaOfOld' : `sha${this.#version}`, history, bytes };
    }
    if (roll < 5) return { kind: 'step', by: this.#leader(), ahead: this.#chance(0.1) ? 1 : 0, ends: this.#chance(0.4), commits: this.#chance(0.4) };
    if (roll < 7) return { kind: 'vote', by, text: this.#pick(['yes', 'no: port 80 "é"', '']) };
    if (this.#chance(0.2)) return { kind: 'raiseProtocol', by: this.#leader(), protocol: 1, membersEpoch: this.#random.below(30) };
    return { kind: 'restore', by, number: Math.max(1, this.#version + this.#random.below(4) - 2), history, bytes };
  }

  #roleStep(): TierStep {
    const roll = this.#random.below(10);
    const ahead = this.#chance(0.1) ? this.#random.below(3) - 1 : 0;
    if (roll < 2) return { kind: 'moveRole', by: this.#leader(), ahead, address: this.#chance(0.1) ? null : this.#pick(['db1:1', 'dbö:2']) };
    if (roll < 8) return { kind: 'acknowledgeRole', by: this.#actor(), ahead, address: this.#chance(0.05) ? 'db3:3' : null };
    return { kind: 'admitRole', by: this.#leader(), ahead };
  }

  #report(check: string, reason: string): VerdictReport {
    return { check, verdict: this.#pick(['up', 'up', 'down', 'down', null]), reason, atMs: 1000 + this.#random.below(1000) };
  }

  #operatorPut(key: string): OperatorPut {
    this.#stampMs += this.#random.below(4) - 1;
    return operatorPut(key, this.#stampMs, this.#pick(['ada', 'bob', 'Zoe', 'é']), `word ${this.#random.below(9)}`);
  }

  #leader(): Actor {
    return this.#chance(0.85) ? { member: null, former: false } : this.#actor();
  }

  #actor(): Actor {
    return { member: this.#pick(members), former: this.#chance(0.05) };
  }

  #chance(part: number): boolean {
    return this.#random.next() < part;
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)]!;
  }

  #some<T>(items: readonly T[], most: number): T[] {
    return Array.from({ length: this.#random.below(most + 1) }, () => this.#pick(items));
  }
}
