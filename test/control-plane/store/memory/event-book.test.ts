import { expect, it } from 'vitest';
import { EventBook } from '../../../../src/control-plane/store/memory/event-book.ts';
import { LOG_MAX } from '../../../../src/control-plane/store/tier-store.ts';

it('gives the last LOG_MAX events by their ids, however many there were', () => {
  const book = new EventBook();
  for (let id = 1; id <= 4 * LOG_MAX + 7; id++) {
    book.add('x', 0, { id });
    if (id % 997 !== 0) continue;
    const [first] = book.after(0, 1);
    expect(first).toEqual({ id: Math.max(1, id - LOG_MAX + 1), text: JSON.stringify({ kind: 'x', atMs: 0, id: first!.id }) });
    expect(book.after(id - 1, 5)).toEqual([{ id, text: JSON.stringify({ kind: 'x', atMs: 0, id }) }]);
    expect(book.after(id, 5)).toEqual([]);
  }
});
