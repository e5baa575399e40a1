/**
 * What a step of the tier's store must look like before an adapter takes it:
 * counts, sizes, and texts that would not parse once written. Adapters call
 * these first; what fails is a bug of the caller, and changes nothing.
 */
import { assert } from '../../base/assert.ts';
import { poolOfRoleKey, ROLE_ACKS_MAX, type RoleAck, type RoleAdmission, type RoleMove } from './role-records.ts';
import { TICKETS_CHARS_MAX, TICKETS_KEY, type TicketPut } from './ticket-records.ts';
import { LIMIT_KEYS_MAX, OPERATOR_ENTRIES_MAX, REPORTS_MAX, SUSPICIONS_MAX, VERSION_BYTES_MAX, type Caller, type JoinCall, type LimitAsk, type OperatorPut, type PublishCall, type RestoreCall, type RolloutStep, type StoreCall, type VerdictReport, type Vote } from './tier-store.ts';

export const REASON_CHARS_MAX = 200;
/** Keys asked for at once, of those methods that take a list. */
export const KEYS_ASKED_MAX = 500;
export const LOG_ENTRIES_ASKED_MAX = 1000;

export function assertCaller({ member, incarnation }: Caller): void {
  assert(isWord(member), 'a member id is a word without spaces');
  assert(isWord(incarnation), 'an incarnation is a word without spaces');
}

export function assertCall(call: StoreCall): void {
  assertCaller(call);
  assert(Number.isSafeInteger(call.number), 'a call has a number');
  assertLease(call.leaseMs);
  assert(Number.isSafeInteger(call.probers) && call.probers > 0, '`probers` is at least 1');
  assert(call.record === null || isLine(call.record), 'a record is one line');
  assert(call.reports.length <= REPORTS_MAX, `a call carries at most ${REPORTS_MAX} reports`);
  call.reports.forEach(assertReport);
  assert(call.suspicions.length <= SUSPICIONS_MAX, `a call carries at most ${SUSPICIONS_MAX} suspicions`);
  call.suspicions.forEach(assertCheck);
  assert(isTime(call.suspicionEveryMs), '`suspicionEveryMs` is a whole number of ms');
  assert(call.operatorStates.length <= OPERATOR_ENTRIES_MAX, `a call carries at most ${OPERATOR_ENTRIES_MAX} operator entries`);
  call.operatorStates.forEach(assertOperatorPut);
}

export function assertJoin(call: JoinCall): void {
  assertCaller(call);
  assertLease(call.leaseMs);
  assert(isLine(call.record), 'a record is one line');
  assert(call.protocolMin > 0 && call.protocolMin <= call.protocol, 'a release speaks a range of protocols from 1');
}

export function assertPublish(call: PublishCall): void {
  assertCaller(call);
  assertVersion(call);
}

export function assertStep(step: RolloutStep): void {
  assertCaller(step);
  assertNumber(step.number);
}

export function assertVote(vote: Vote): void {
  assertCaller(vote);
  assertNumber(vote.number);
}

export function assertRestore(call: RestoreCall): void {
  assertCaller(call);
  assertVersion(call);
}

export function assertRoleMove(move: RoleMove): void {
  assertCaller(move);
  assertPool(move.pool);
  assert(isTime(move.expectedEpoch), 'a role has an epoch, or 0');
  if (move.address !== null) assertAddress(move.address);
}

export function assertRoleAdmission(admission: RoleAdmission): void {
  assertCaller(admission);
  assertPool(admission.pool);
  assert(isTime(admission.expectedEpoch), 'a role has an epoch');
}

export function assertRoleAcks(caller: Caller, acks: readonly RoleAck[]): void {
  assertCaller(caller);
  assert(acks.length <= ROLE_ACKS_MAX, `at most ${ROLE_ACKS_MAX} roles are acknowledged at once`);
  for (const { pool, epoch, address } of acks) {
    assertPool(pool);
    assertAddress(address);
    assert(isTime(epoch) && epoch > 0, 'a role has an epoch');
  }
}

export function assertTicketPut(put: TicketPut): void {
  assertCaller(put);
  assert(/^([0-9a-f]{40})?$/.test(put.expectedSha), 'a text is named by its sha, or none is');
  assert(put.text === null || (put.text.length <= TICKETS_CHARS_MAX && isLine(put.text)), `the keys of tickets are one line of at most ${TICKETS_CHARS_MAX} characters`);
}

export function assertAsks(caller: Caller, asks: readonly LimitAsk[]): void {
  assertCaller(caller);
  assert(asks.length <= LIMIT_KEYS_MAX, `at most ${LIMIT_KEYS_MAX} limits are asked for at once`);
  for (const { tokens, perSecond, burst } of asks) {
    assert(Number.isFinite(tokens) && tokens >= 0, 'tokens asked for are not negative');
    assert(Number.isFinite(perSecond) && perSecond > 0 && Number.isFinite(burst) && burst > 0, 'a bucket fills, and holds something');
  }
}

export function assertKeys(keys: readonly string[]): void {
  assert(keys.length <= KEYS_ASKED_MAX, `at most ${KEYS_ASKED_MAX} are asked for at once`);
}

export function assertLogPage(after: number, limit: number): void {
  assert(Number.isSafeInteger(after) && Number.isSafeInteger(limit) && limit > 0 && limit <= LOG_ENTRIES_ASKED_MAX, `at most ${LOG_ENTRIES_ASKED_MAX} entries of the log are asked for at once`);
}

export function assertWatch(pool: string, forMs: number): void {
  assertPool(pool);
  assert(isTime(forMs), 'a watch lasts a whole number of ms');
}

function assertReport({ check, reason, atMs }: VerdictReport): void {
  assertCheck(check);
  assert(reason.length <= REASON_CHARS_MAX && isLine(reason), `a reason is one line of at most ${REASON_CHARS_MAX} characters`);
  assert(isTime(atMs), 'the time of a conclusion is a whole number of ms');
}

function assertOperatorPut({ key, stampMs, by, text }: OperatorPut): void {
  assert(isLine(key) && key !== '', 'an operator entry has a key');
  assert(isTime(stampMs) && isWord(by) && text.startsWith(`${stampMs} ${by} `), 'the text of an operator entry begins with its stamp and author');
}

function assertCheck(check: string): void {
  assert(isLine(check) && check !== '' && poolOfRoleKey(check) === null && check !== TICKETS_KEY, 'a check is named in one line');
}

function assertPool(pool: string): void {
  assert(isLine(pool) && pool !== '', 'a pool has a name');
}

function assertAddress(address: string): void {
  assert(isLine(address) && address !== '', 'a backend has an address');
}

function assertLease(leaseMs: number): void {
  assert(isTime(leaseMs) && leaseMs > 1, 'a lease is a whole number of ms');
}

function assertNumber(number: number): void {
  assert(Number.isSafeInteger(number) && number > 0, 'versions are numbered from 1');
}

function assertVersion({ number, history, sha, bytes }: Pick<PublishCall, 'number' | 'history' | 'sha' | 'bytes'>): void {
  assertNumber(number);
  assert(isWord(history) && isWord(sha), 'a history and a sha are words without spaces');
  assert(bytes.length <= VERSION_BYTES_MAX, `a version has at most ${VERSION_BYTES_MAX} bytes`);
}

function isTime(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms >= 0;
}

function isLine(text: string): boolean {
  return !text.includes('\n');
}

function isWord(text: string): boolean {
  return /^\S+$/.test(text);
}
