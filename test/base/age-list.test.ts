import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { AgeList, type Aged } from '../../src/base/age-list.ts';

class Member implements Aged<Member> {
  older: Member | null = null;
  newer: Member | null = null;
}

describe('an age list', () => {
  it('is a Set that keeps the order of arrival', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 7 }), { maxLength: 60 }), (moves) => {
        const members = Array.from({ length: 8 }, () => new Member());
        const list = new AgeList<Member>();
        const model = new Set<Member>();
        for (const index of moves) {
          const member = members[index]!;
          if (model.has(member)) {
            model.delete(member);
            expect(list.delete(member)).toBe(true);
          } else {
            model.add(member);
            list.add(member);
          }
          expect([...list]).toEqual([...model]);
          expect(list.size).toBe(model.size);
        }
        for (const member of members) expect(list.delete(member)).toBe(model.has(member));
      }),
    );
  });

  it('a removed member points to nobody', () => {
    const [first, second, third] = [new Member(), new Member(), new Member()];
    const list = new AgeList<Member>();
    for (const member of [first, second, third]) list.add(member);
    list.delete(second);
    expect([second.older, second.newer]).toEqual([null, null]);
  });

  it('the member at hand may go', () => {
    const list = new AgeList<Member>();
    for (let i = 0; i < 5; i++) list.add(new Member());
    for (const member of list) list.delete(member);
    expect(list.size).toBe(0);
  });
});
