/** Routes of tcp listeners against a plain loop, and what may be decided before a ClientHello was read. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MismatchFinder } from '../../../src/data-plane/route/mismatch.ts';
import { ClientHello } from '../../../src/data-plane/parse/client-hello.ts';
import { NO_ROUTE } from '../../../src/data-plane/route/route-query.ts';
import { compileRoutes, firstHelloRoute } from '../../../src/data-plane/route/route-table.ts';
import { TcpQuery, type AddressedClient } from '../../../src/data-plane/route/tcp-query.ts';
import type { MatchSpec } from '../../../src/shared/snapshot.ts';
import { anyMatch, hosts, makeRoute } from '../../support/route-fixtures.ts';

const label = fc.constantFrom('a', 'b', 'test');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 1 });
const oneOrTwo = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 1, maxLength: 2 });

const match: fc.Arbitrary<MatchSpec> = fc.record({
  ...Object.fromEntries(Object.keys(anyMatch).map((key) => [key, fc.constant(null)])) as { [key in keyof MatchSpec]: fc.Arbitrary<null> },
  sni: orNull(oneOrTwo(fc.oneof(name, name.map((text) => `*.${text}`))).map((list) => hosts(...list))),
  alpn: orNull(oneOrTwo(fc.constantFrom('h2', 'smtp', 'dot'))),
  source: orNull(oneOrTwo(fc.constantFrom('10.0.0.0/24', '10.0.1.0/24'))),
});
const matches = fc.array(match, { maxLength: 8 });
const protocols = fc.subarray(['h2', 'smtp', 'x']);
const address = fc.constantFrom('10.0.0.1', '10.0.1.1', '10.0.2.1');

function client(clientAddress: string, serverName: string | null, offered: readonly string[]): AddressedClient {
  if (serverName === null) return { clientAddress, hello: null };
  const hello = new ClientHello();
  hello.serverName = serverName;
  hello.protocols.push(...offered);
  return { clientAddress, hello };
}

function holds(spec: MatchSpec, { clientAddress, hello }: AddressedClient): boolean {
  const asked = hello?.serverName ?? '';
  return (
    (spec.sni?.some(({ kind, value }) => (kind === 'exact' ? asked === value : new RegExp(`^.+\\.${value.replaceAll('.', '\\.')}$`).test(asked))) ?? true) &&
    (spec.alpn?.some((protocol) => hello?.protocols.includes(protocol) ?? false) ?? true) &&
    (spec.source?.some((cidr) => clientAddress.startsWith(cidr.replace('.0/24', '.'))) ?? true)
  );
}

const serverName = fc.oneof({ weight: 6, arbitrary: name }, { weight: 1, arbitrary: fc.constant('') });

it('the first route that holds takes the connection', () => {
  const finder = new MismatchFinder();
  fc.assert(
    fc.property(matches, address, serverName, protocols, (specs, from, asked, offered) => {
      const who = client(from, asked, offered);
      const expected = specs.findIndex((spec) => holds(spec, who));
      const query = new TcpQuery().open(who);
      expect(compileRoutes(specs.map((spec) => makeRoute(spec))).find(query)).toBe(expected === -1 ? NO_ROUTE : expected);
      for (const spec of specs) expect(finder.find(spec, query, '/') === null).toBe(holds(spec, who));
    }),
    { numRuns: 500 },
  );
});

it('one found before the first that asks for a hello is the same with any hello', () => {
  fc.assert(
    fc.property(matches, address, serverName, protocols, (specs, from, asked, offered) => {
      const routes = specs.map((spec) => makeRoute(spec));
      const table = compileRoutes(routes);
      const first = firstHelloRoute(routes);
      expect(first).toBe(specs.findIndex((spec) => spec.sni !== null || spec.alpn !== null) === -1 ? specs.length : specs.findIndex((spec) => spec.sni !== null || spec.alpn !== null));
      const without = table.find(new TcpQuery().open(client(from, null, [])));
      if (without !== NO_ROUTE && without < first) expect(table.find(new TcpQuery().open(client(from, asked, offered)))).toBe(without);
    }),
    { numRuns: 500 },
  );
});
