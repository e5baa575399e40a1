/**
 * The Lua operations of the Redis store: files beside this one, each put
 * together with what it is written to follow (see their headers), and how many
 * of the tier's keys it is given.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface Script {
  readonly text: string;
  readonly sha: string;
  /** So many of `tierKeys` are declared to it. */
  readonly keyCount: number;
}

const KEY_NAMES = ['state', 'leases', 'entries', 'epochs', 'gone', 'reports', 'beside', 'suspicions', 'log', 'config', 'bytes', 'votes', 'limits'] as const;

/** All in one slot of a cluster, that of the tier's name. */
export function tierKeys(tier: string): readonly string[] {
  return KEY_NAMES.map((name) => `weir:{${tier}}:${name}`);
}

export function hintsChannel(tier: string): string {
  return `weir:{${tier}}:hints`;
}

function script(keyCount: number, ...files: readonly string[]): Script {
  const text = files.map((file) => readFileSync(new URL(`./${file}.lua`, import.meta.url), 'utf8')).join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex'), keyCount };
}

const STATE_AND_CONFIG = 10;
const AND_BYTES = 11;
const AND_VOTES = 12;
const ALL = KEY_NAMES.length;

export const scripts = {
  call: script(STATE_AND_CONFIG, 'quiet', 'prelude', 'call'),
  join: script(STATE_AND_CONFIG, 'prelude', 'join'),
  leave: script(STATE_AND_CONFIG, 'prelude', 'leave'),
  stepOut: script(STATE_AND_CONFIG, 'prelude', 'step-out'),
  publish: script(AND_VOTES, 'prelude', 'versions-kept', 'publish'),
  step: script(STATE_AND_CONFIG, 'prelude', 'step'),
  vote: script(AND_VOTES, 'prelude', 'vote'),
  votes: script(AND_VOTES, 'prelude', 'votes'),
  restore: script(AND_VOTES, 'prelude', 'versions-kept', 'restore'),
  versions: script(STATE_AND_CONFIG, 'prelude', 'versions'),
  version: script(AND_BYTES, 'prelude', 'version'),
  raiseProtocol: script(STATE_AND_CONFIG, 'prelude', 'raise-protocol'),
  forget: script(STATE_AND_CONFIG, 'prelude', 'forget'),
  moveRole: script(STATE_AND_CONFIG, 'prelude', 'roles', 'move-role'),
  admitRole: script(STATE_AND_CONFIG, 'prelude', 'roles', 'admit-role'),
  acknowledgeRoles: script(STATE_AND_CONFIG, 'prelude', 'roles', 'acknowledge-roles'),
  putTickets: script(STATE_AND_CONFIG, 'prelude', 'put-tickets'),
  beside: script(STATE_AND_CONFIG, 'prelude', 'beside'),
  reports: script(STATE_AND_CONFIG, 'prelude', 'reports'),
  log: script(STATE_AND_CONFIG, 'prelude', 'log'),
  watch: script(STATE_AND_CONFIG, 'prelude', 'watch'),
  takeTokens: script(ALL, 'prelude', 'take-tokens'),
  mend: script(ALL, 'mend'),
} as const;
