/** A member's own file beside the tier's config, in virtual time. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileEdits, type EditOutcome } from '../../../src/control-plane/rollout/file-edits.ts';
import { bytesOf, LEASE_MS, RolloutRig, type RigMember } from '../../support/rollout-rig.ts';

let rig: RolloutRig;
beforeEach(() => {
  rig = new RolloutRig();
});
afterEach(() => rig.stop());

function editsOf(member: RigMember): FileEdits {
  const edits = new FileEdits({
    file: 'weir.yaml',
    membership: member.link,
    disk: member.disk,
    parent: member.disk.state.parent,
    log: {
      info: (text, fields = {}) => void member.logged.push({ level: 'info', text, fields }),
      warn: (text, fields = {}) => void member.logged.push({ level: 'warn', text, fields }),
      error: (text, fields = {}) => void member.logged.push({ level: 'error', text, fields }),
    },
    publish: (request) => member.rollout.publisher.publish(request),
    own: () => member.rollout.own,
    replaceUnconfirmed: (bytes) => member.rollout.replaceUnconfirmed(bytes),
  });
  member.pokes.push(() => edits.poke());
  return edits;
}

async function edited(edits: FileEdits, text: string): Promise<EditOutcome> {
  let outcome: EditOutcome | null = null;
  void edits.changed(bytesOf(text)).then((came) => (outcome = came));
  for (let waited = 0; outcome === null && waited < 30_000; waited += 100) await rig.advance(100);
  return outcome!;
}

it('an edit is published over the version the file last equalled, and then again', async () => {
  const [a] = await rig.tier('a', 'b');
  const edits = editsOf(a!);
  await edits.began(bytesOf('first'));
  expect(await edited(edits, 'second')).toEqual({ kind: 'done', number: 2, changed: true });
  expect(await edited(edits, 'third')).toEqual({ kind: 'done', number: 3, changed: true });
  await rig.advance(1200);
  expect(rig.members.map(({ runs }) => runs)).toEqual(['3 third', '3 third']);
  expect(a!.disk.state.parent?.number).toBe(3);
});

it('one that does not follow the head is refused with the diff, until the file has equalled it', async () => {
  const [a, b] = await rig.tier('a', 'b');
  const [first, second] = [editsOf(a!), editsOf(b!)];
  await first.began(bytesOf('first\n'));
  await second.began(bytesOf('first'));
  expect(a!.said('the file differs from the committed config, which runs')).toBe(true);
  expect(await edited(first, 'mine\n')).toMatchObject({ kind: 'refused', text: expect.stringContaining('never been one that the tier committed') });
  expect(await edited(second, 'second\n')).toMatchObject({ kind: 'done', number: 2 });
  await rig.advance(1200);
  const refused = await edited(first, 'mine too\n');
  expect(refused).toMatchObject({ kind: 'refused', text: expect.stringContaining('--- version 2\n+++ weir.yaml\n@@ -1 +1 @@\n-second\n+mine too') });
  expect(await edited(first, 'second\n')).toEqual({ kind: 'done', number: 2, changed: false });
  expect(await edited(first, 'third\n')).toMatchObject({ kind: 'done', number: 3 });
});

it('away it waits, and is published when the store is back', async () => {
  const [a, b] = await rig.tier('a', 'b');
  const edits = editsOf(a!);
  await edits.began(bytesOf('first'));
  a!.wire.isCut = true;
  await rig.advance(LEASE_MS + 100);
  expect(await edited(edits, 'second')).toMatchObject({ kind: 'waits' });
  a!.wire.isCut = false;
  await rig.advance(3 * LEASE_MS);
  expect([a!.runs, b!.runs]).toEqual(['2 second', '2 second']);
});

it('while another rollout is under way it waits, and the newest text counts', async () => {
  const [a, b] = await rig.tier('a', 'b');
  const edits = editsOf(a!);
  await edits.began(bytesOf('first'));
  void b!.rollout.publisher.publish({ bytes: bytesOf('refused refuse=a'), parent: null, canary: { share: 0.5, forMs: 5000 }, by: 'b' });
  b!.applier.dryRun = () => new Promise((resolve) => rig.clock.after(2000, () => resolve(null)));
  await rig.advance(10);
  expect(await edited(edits, 'one')).toMatchObject({ kind: expect.stringMatching(/waits|done/) });
  expect(await edited(edits, 'two')).toMatchObject({ kind: expect.stringMatching(/waits|done/) });
  await rig.advance(15_000);
  expect(a!.runs).toMatch(/^\d two$/);
  expect(b!.runs).toBe(a!.runs);
});

it('what nobody edited is not published, however often it is read again', async () => {
  const [a] = await rig.tier('a', 'b');
  const edits = editsOf(a!);
  await edits.began(bytesOf('another'));
  expect(await edited(edits, 'another')).toEqual({ kind: 'differs', number: 1 });
  expect(a!.runs).toBe('1 first');
});

it('one that another member’s file had first is the same version', async () => {
  const [a, b] = await rig.tier('a', 'b');
  const [first, second] = [editsOf(a!), editsOf(b!)];
  await first.began(bytesOf('first'));
  await second.began(bytesOf('first'));
  const outcomes: EditOutcome[] = [];
  for (const edits of [first, second]) void edits.changed(bytesOf('second')).then((outcome) => outcomes.push(outcome));
  await rig.advance(3000);
  expect(outcomes.map((outcome) => (outcome.kind === 'done' ? outcome.number : outcome))).toEqual([2, 2]);
  expect((await rig.store.versions()).map(({ number }) => number)).toEqual([2, 1]);
});

it('before the tier has committed anything the file is what this member stands on', async () => {
  const a = rig.add('a', { file: 'bad refuse=a' });
  await rig.advance(3 * LEASE_MS);
  const edits = editsOf(a);
  await edits.began(bytesOf('bad refuse=a'));
  expect(a.rollout.notReadyReasons()).toEqual(['the tier has no committed config: a cannot']);
  expect(await edited(edits, 'good')).toEqual({ kind: 'done', number: 1, changed: true });
  await rig.advance(2 * LEASE_MS);
  expect(a.isReady).toBe(true);
  expect((await rig.store.versions()).map(({ number }) => number)).toEqual([1]);
});
