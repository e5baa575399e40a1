import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearest } from '../../src/config/nearest.ts';

const keys = ['listeners', 'pools', 'tier', 'drain', 'admin', 'log', 'maxEjected', 'backends', 'bind', 'idle'];

test.each([
  ['listners', 'listeners'],
  ['pool', 'pools'],
  ['max_ejected', 'maxEjected'],
  ['MaxEjected', 'maxEjected'],
  ['max-ejceted', 'maxEjected'],
  ['bcakends', 'backends'],
  ['binds', 'bind'],
  ['lgo', 'log'],
])('%s was meant as %s', (word, meant) => {
  expect(nearest(word, keys)).toBe(meant);
});

test.each(['x', 'on', 'frontend', 'certificates', 'zzzz', '', 'a'.repeat(1000)])('%s is like none of them', (word) => {
  expect(nearest(word, keys)).toBeNull();
});

test('of two as near the first is taken, and a nearer one beats it', () => {
  expect(nearest('aaax', ['aaay', 'aaaz'])).toBe('aaay');
  expect(nearest('aaaz', ['aaay', 'aaaz'])).toBe('aaaz');
});

test('the distance is a metric of slips: none for the same, one for each single slip', () => {
  const word = fc.stringMatching(/^[a-d]{1,12}$/);
  fc.assert(fc.property(word, word, (a, b) => {
    expect(editDistance(a, a)).toBe(0);
    expect(editDistance(a, b)).toBe(editDistance(b, a));
    expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
    expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
  }));
  fc.assert(fc.property(word, fc.nat(), (a, n) => {
    const at = n % a.length;
    expect(editDistance(a, a.slice(0, at) + 'z' + a.slice(at))).toBe(1);
    expect(editDistance(a, a.slice(0, at) + a.slice(at + 1))).toBe(1);
    const swapped = a.slice(0, at) + (a[at + 1] ?? '') + (a[at] ?? '') + a.slice(at + 2);
    expect(editDistance(a, swapped)).toBeLessThanOrEqual(1);
  }));
});
