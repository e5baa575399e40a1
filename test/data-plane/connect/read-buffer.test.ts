import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { ReadBuffer as ReadBufferType } from '../../../src/data-plane/connect/read-buffer.ts';

// A module of its own: what goes round is the module's, and other files in this process leave theirs there.
vi.resetModules();
const { giveBack, HEADROOM, ReadBuffer, TAILROOM } = await import('../../../src/data-plane/connect/read-buffer.ts');
type ReadBuffer = ReadBufferType;

const roomOf = (buffer: ReadBuffer): number => buffer.bytes.length - HEADROOM - TAILROOM;

/** A read that fills it, as those of a large answer do. */
function fill(buffer: ReadBuffer): void {
  const count = roomOf(buffer) - buffer.held;
  buffer.count(count);
  buffer.letGo();
  buffer.adapt(count);
}

/** In mid answer, reading into a medium buffer. */
function medium(): ReadBuffer {
  const buffer = new ReadBuffer();
  fill(buffer);
  expect(buffer.bytes.length).toBe(96 * 1024);
  return buffer;
}

/** And into a large one. */
function large(): ReadBuffer {
  const buffer = medium();
  fill(buffer);
  expect(buffer.bytes.length).toBe(256 * 1024);
  return buffer;
}

describe('what goes round', () => {
  it('serves the next large answer once it is given back, and only one', () => {
    const first = large();
    const lent = first.replace();
    expect(first.bytes).not.toBe(lent);
    // Still being written to a client: nobody else may read into it.
    expect(large().bytes).not.toBe(lent);
    giveBack(lent);
    const next = large();
    expect(next.bytes).toBe(lent);
    expect(large().bytes).not.toBe(lent);
  });

  it('serves the next once its connection has read on into a larger one, and no sooner', () => {
    const first = medium();
    const outgrown = first.bytes;
    fill(first);
    // Who was given what was read may still need it.
    expect(medium().bytes).not.toBe(outgrown);
    first.count(1);
    expect(medium().bytes).toBe(outgrown);
  });

  it('is kept at rest in the size that the last answer asks for', () => {
    const buffer = medium();
    const held = buffer.bytes;
    buffer.count(48 * 1024);
    buffer.rest();
    expect(buffer.bytes).toBe(held);
    buffer.wake();
    fill(buffer);
    buffer.count(1000);
    buffer.rest();
    expect(buffer.bytes.length).toBe(256 * 1024);
    buffer.wake();
    buffer.count(100);
    buffer.rest();
    expect(buffer.bytes.length).toBe(16 * 1024);
    buffer.drop(true);
  });

  it('comes back when its connection closes at rest, and is lost when that is in mid answer', () => {
    const atRest = large();
    const free = atRest.bytes;
    atRest.drop(true);
    expect(large().bytes).toBe(free);
    const inUse = large();
    const held = inUse.bytes;
    inUse.drop(false);
    expect(Array.from({ length: 40 }, large).some(({ bytes }) => bytes === held)).toBe(false);
  });

  it('is not the small buffer, nor one that grew for a head', () => {
    const small = new ReadBuffer();
    const lent = small.replace();
    giveBack(lent);
    const grown = new ReadBuffer();
    grown.hold(HEADROOM, HEADROOM + roomOf(grown));
    const larger = grown.replace();
    giveBack(larger);
    const others = Array.from({ length: 40 }, large);
    expect(others.some(({ bytes }) => bytes === lent || bytes === larger)).toBe(false);
  });

  it('is kept at rest by a connection whose last answer was large, by 64 of them at most', () => {
    const resting = Array.from({ length: 70 }, large);
    for (const buffer of resting) {
      fill(buffer);
      buffer.rest();
    }
    expect(resting.filter(({ bytes }) => bytes.length === 256 * 1024)).toHaveLength(64);
    // One that closes makes room for another.
    resting[0]!.drop(true);
    const another = large();
    fill(another);
    another.rest();
    expect(another.bytes.length).toBe(256 * 1024);
    for (const buffer of resting.slice(1)) buffer.drop(true);
    another.drop(true);
  });
});

describe('what is read', () => {
  it('goes behind a head that is held, with its room before and behind', () => {
    const buffer = new ReadBuffer();
    buffer.bytes.write('GET', HEADROOM + 5, 'latin1');
    buffer.hold(HEADROOM + 5, HEADROOM + 8);
    const view = buffer.nextView()!;
    view[0] = 0x21;
    expect(buffer.bytes.toString('latin1', HEADROOM, HEADROOM + 4)).toBe('GET!');
    expect(view.length).toBe(roomOf(buffer) - 3);
    buffer.letGo();
    expect(buffer.nextView()!.byteOffset).toBe(buffer.bytes.byteOffset + HEADROOM);
    expect(buffer.nextView()).toBeUndefined();
  });

  it('keeps a held head when it has to grow', () => {
    const buffer = new ReadBuffer();
    const room = roomOf(buffer);
    buffer.bytes.fill('h', HEADROOM, HEADROOM + room);
    buffer.hold(HEADROOM, HEADROOM + room);
    expect(roomOf(buffer)).toBeGreaterThan(room);
    expect(buffer.bytes.toString('latin1', HEADROOM, HEADROOM + room)).toBe('h'.repeat(room));
  });
});

/** Everything that can happen to connections and what clients still hold of their answers. */
type Step = { readonly what: 'open' | 'fill' | 'rest' | 'lend' | 'giveBack' | 'close' | 'breakOff'; readonly which: number };
const steps = fc.array(fc.record({ what: fc.constantFrom<Step['what']>('open', 'fill', 'fill', 'rest', 'lend', 'giveBack', 'close', 'breakOff'), which: fc.nat(20) }), { maxLength: 120 });

it('no bytes have two owners, whatever happens in whichever order', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const open: { buffer: ReadBuffer; isResting: boolean }[] = [];
      const lent: Buffer[] = [];
      const lost: Buffer[] = [];
      for (const { what, which } of sequence) {
        const each = open[which % Math.max(1, open.length)];
        if (what === 'open') open.push({ buffer: new ReadBuffer(), isResting: false });
        else if (what === 'giveBack') {
          const [bytes] = lent.splice(which % Math.max(1, lent.length), 1);
          if (bytes !== undefined) giveBack(bytes);
        } else if (each === undefined) continue;
        else if (what === 'fill') {
          each.buffer.wake();
          each.isResting = false;
          fill(each.buffer);
        } else if (what === 'rest' && !each.isResting) {
          each.buffer.rest();
          each.isResting = true;
        } else if (what === 'lend' && !each.isResting) lent.push(each.buffer.replace());
        else if (what === 'close' || what === 'breakOff') {
          if (what === 'breakOff' && !each.isResting) lost.push(each.buffer.bytes);
          each.buffer.drop(what === 'close' || each.isResting);
          open.splice(open.indexOf(each), 1);
        }
        const owned = [...open.map(({ buffer }) => buffer.bytes), ...lent, ...lost];
        expect(new Set(owned.map((bytes) => bytes.buffer)).size).toBe(owned.length);
      }
      for (const { buffer } of open) buffer.drop(true);
    }),
    { numRuns: 500 },
  );
});
