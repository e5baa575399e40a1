import { describe, expect, it } from 'vitest';
import { TableSync } from '../../../src/control-plane/membership/table-sync.ts';
import { entryHash, type StoreAnswer, type StoreHint, type TableChanges } from '../../../src/control-plane/store/tier-store.ts';

const empty: TableChanges = { whole: true, entries: [], epoch: 1, more: false, count: 0, digest: 0 };
const verdicts: TableChanges = { ...empty, entries: [{ key: 'x', text: 'up 1 a r' }], epoch: 5, count: 1, digest: entryHash('x', 'up 1 a r') };
const answer: StoreAnswer = { run: 'r', tierMs: 1, living: true, state: 'ready', leader: null, protocol: 1, reportsDiffer: false, publishInMs: null, members: empty, verdicts, operatorStates: empty, config: null, watched: [] };
const hint: StoreHint = { run: 'r', verdictsFrom: 5, verdictsTo: 6, verdicts: [{ key: 'x', text: 'down 2 a r' }], operatorStates: 1, config: 0, suspicions: null };

function read(): TableSync {
  const sync = new TableSync();
  sync.joined('r');
  expect(sync.accept(answer)).toMatchObject({ broken: null, complete: true });
  return sync;
}

describe('a message', () => {
  it('that follows on what was read is taken, also where it overlaps, and once', () => {
    const sync = read();
    expect(sync.hear({ ...hint, verdictsFrom: 3 })).toEqual({ verdicts: hint.verdicts, call: false });
    expect(sync.have(false)?.verdicts).toBe(6);
    expect(sync.hear(hint)).toEqual({ verdicts: [], call: false });
  });

  it('that leaves a gap, is too much, is of another run or tells of other tables asks for a call', () => {
    const sync = read();
    for (const other of [{ verdictsFrom: 6, verdictsTo: 7 }, { verdicts: null }, { run: 's' }]) expect(sync.hear({ ...hint, ...other })).toEqual({ verdicts: [], call: true });
    expect(sync.hear({ ...hint, verdictsTo: 5, operatorStates: 2 }).call).toBe(true);
    expect(sync.hear({ ...hint, verdictsTo: 5, config: 1 }).call).toBe(true);
    expect(sync.have(false)?.verdicts).toBe(5);
  });
});
