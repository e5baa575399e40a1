import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCookies, readQuery, utf8Text } from '../../../src/data-plane/route/field-text.ts';

function pairsOf(query: string): [string, string][] {
  const pairs: [string, string][] = [];
  readQuery(query, () => true, (name, value) => pairs.push([name, value]));
  return pairs;
}

describe('readQuery', () => {
  it.each<[string, [string, string][]]>([
    ['', []],
    ['a=1&b=2', [['a', '1'], ['b', '2']]],
    ['a=1=2', [['a', '1=2']]],
    ['a', [['a', '']]],
    ['a&b=1&c', [['a', ''], ['b', '1'], ['c', '']]],
    ['&&a=1&&', [['a', '1']]],
    ['=1', [['', '1']]],
    ['a=1;b=2', [['a', '1;b=2']]],
    ['a+b=c+d%2B', [['a b', 'c d+']]],
    ['%61=%C3%A9', [['a', 'é']]],
    ['a=\xc3\xa9', [['a', 'é']]],
    ['a=%ff', [['a', '\ufffd']]],
    ['a=%zz%4', [['a', '%zz%4']]],
    ['a=%2526', [['a', '%26']]],
  ])('%s', (query, expected) => {
    expect(pairsOf(query)).toEqual(expected);
  });

  it('agrees with URLSearchParams', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '=', '&', '+', '%', '%41', '%26', '%3D', '%C3%A9', '%e2%82', ';', '%2'), { maxLength: 20 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, (query) => {
        expect(pairsOf(query)).toEqual([...new URLSearchParams(query)]);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not decode the values of names nobody asks for', () => {
    const asked: string[] = [];
    const found: string[] = [];
    readQuery('a=1&b=2', (name) => asked.push(name) > 0 && name === 'b', (name) => found.push(name));
    expect([asked, found]).toEqual([['a', 'b'], ['b']]);
  });

  it('costs no more than its length', () => {
    // Each of these names would look for the far "=" again, were it not remembered.
    expect(pairsOf(`${'a&'.repeat(200_000)}x=1`)).toHaveLength(200_001);
  });
});

describe('readCookies', () => {
  it.each<[string, [string, string][]]>([
    ['', []],
    ['a=1; b=2', [['a', '1'], ['b', '2']]],
    ['a=1;b=2;', [['a', '1'], ['b', '2']]],
    [' a = 1 ', [['a', '1']]],
    ['a="x y"', [['a', '"x y"']]],
    ['a=%31+', [['a', '%31+']]],
    ['a=b=c', [['a', 'b=c']]],
    ['flag; a=1', [['a', '1']]],
  ])('%s', (field, expected) => {
    const pairs: [string, string][] = [];
    readCookies(field, (name, value) => pairs.push([name, value]));
    expect(pairs).toEqual(expected);
  });
});

it('utf8Text reads bytes as UTF-8', () => {
  expect(utf8Text('plain')).toBe('plain');
  expect(utf8Text('\xe2\x82\xac')).toBe('€');
});
