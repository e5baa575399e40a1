import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClientTable } from '../../../src/data-plane/listen/client-table.ts';

test('finds what a plain map would', () => {
  const client = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 4 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), client), { maxLength: 60 }), (steps) => {
      const table = new ClientTable<object>();
      const plain = new Map<string, object>();
      for (const [adds, [address, port]] of steps) {
        const key = `${address} ${port}`;
        if (adds && !plain.has(key)) {
          const session = {};
          plain.set(key, session);
          table.add(address, port, session);
        } else if (!adds) {
          plain.delete(key);
          table.delete(address, port);
        }
        for (const each of ['a', 'b', 'c']) for (let at = 1; at <= 4; at++) expect(table.find(each, at)).toBe(plain.get(`${each} ${at}`) ?? null);
        expect(table.size).toBe(plain.size);
        expect(new Set(table.all())).toEqual(new Set(plain.values()));
      }
    }),
  );
});
