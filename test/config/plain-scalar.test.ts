import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Misspelt, resolvePlain } from '../../src/config/plain-scalar.ts';

test.each([
  ['0', 0], ['-0', 0], ['10', 10], ['-3', -3], ['1.10', 1.1], ['9007199254740991', 9007199254740991],
  ['true', true], ['false', false], ['null', null], ['~', null], ['', null],
  ['yes', 'yes'], ['off', 'off'], ['y', 'y'], ['tRUE', 'tRUE'],
  ['10.0.0.1', '10.0.0.1'], ['10.0.0.1:80', '10.0.0.1:80'], [':8080', ':8080'], ['1:30', '1:30'], ['2024-01-01', '2024-01-01'],
  ['5s', '5s'], ['20%', '20%'], ['100/s', '100/s'], ['-', '-'], ['.', '.'], ['./x', './x'], ['+x', '+x'], ['0x', '0x'], ['1e', '1e'], ['<<', '<<'],
])('%s', (text, value) => {
  expect(resolvePlain(text)).toStrictEqual(value);
});

test.each([
  ['010', undefined], ['0x1f', '31'], ['0X1F', '31'], ['0o17', '15'], ['0b101', '5'], ['1e3', '1000'], ['1.5e1', '15'], ['1_000', '1000'], ['+5', '5'], ['-0x10', '-16'],
  ['.5', '0.5'], ['5.', '5'], ['.inf', undefined], ['-.INF', undefined], ['.nan', undefined], ['1e400', undefined],
  ['9007199254740992', undefined], ['123456789012345678901234567890', undefined],
  ['True', 'true'], ['TRUE', 'true'], ['False', 'false'], ['FALSE', 'false'],
])('%s is refused', (text, suggestion) => {
  const refused = resolvePlain(text);
  expect(refused).toBeInstanceOf(Misspelt);
  expect((refused as Misspelt).suggestion).toBe(suggestion);
});

test('every number that a message shows as JSON is read as that number', () => {
  fc.assert(fc.property(fc.oneof(fc.maxSafeInteger(), fc.double({ min: -1e6, max: 1e6, noNaN: true })), (value) => {
    const text = JSON.stringify(value);
    if (/e/.test(text)) return;
    expect(resolvePlain(text)).toBe(value === 0 ? 0 : value);
  }));
});
