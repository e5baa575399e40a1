/** Rows about growth: the same work with a little and with a lot of something, by the same process otherwise. */
import { findScenario, type Scenario } from '../load/scenarios.ts';
import type { Settings } from '../load/targets.ts';
import type { Contender, Drive, Row } from './rows.ts';

const MANY = 10_000;
const CONNECTIONS_FEW = 8;
const CONNECTIONS_MANY = 8000;
const RATE_PER_S = 2000;
const small = findScenario('small');

/**
 * The one backend of the bench under `count` addresses: all of 127.0.0.0/8
 * leads to it. They are chosen by path, of which there is one, because what is
 * measured is the choice among many. Were all in use, most requests would open
 * a connection, and the row would say what that costs.
 */
export function manyBackends(count: number): string {
  const addresses = Array.from({ length: count }, (_, i) => `127.1.${i >> 8}.${i & 255}:{{originPort}}`);
  return ['algorithm: { name: maglev, key: path }', '    backends:', ...addresses.map((address) => `      - ${address}`)].join('\n');
}

/** `count` routes, every second one with a host of its own; what the bench asks for is the last one's. */
export function manyRoutes(count: number): string {
  const others = Array.from({ length: count - 1 }, (_, i) => `      - { match: { ${i % 2 === 0 ? '' : `host: h${i}.example.com, `}path: /tenant/${i} }, pool: origin }`);
  return ['routes:', ...others, `      - { match: { path: / }, pool: origin }`].join('\n');
}

/** Probing 10,000 backends costs what it costs by the second, not by the request: both ends go without. */
const unprobed: Settings = { health: '' };

interface End {
  readonly settings: Settings;
  readonly scenario: Scenario;
}

function contendersOf(of: Contender['of'], ends: Readonly<Record<'small' | 'large', End>>, drive: Drive): Contender[] {
  return (['small', 'large'] as const).map((end) => ({ name: `${of}, ${end}`, of, end, drive, ...ends[end] }));
}

function ends(settingsOf: (count: number) => Settings): Readonly<Record<'small' | 'large', End>> {
  return { small: { settings: settingsOf(1), scenario: small }, large: { settings: settingsOf(MANY), scenario: small } };
}

const base = { unit: 'µs/request', judgement: 'growth', atMost: 1.1, logged: false, originAddress: '127.0.0.1' } as const;
/** HAProxy takes no more than it is told, and wants two descriptors for each. */
export const haproxyRoomy: Settings = { connections: '9500' };
function connectionEnds(settings: Settings = {}): Readonly<Record<'small' | 'large', End>> {
  return { small: { settings, scenario: { ...small, connections: CONNECTIONS_FEW } }, large: { settings, scenario: { ...small, connections: CONNECTIONS_MANY } } };
}
const paced: Drive = { tool: 'paced', ratePerS: RATE_PER_S };

export const growthRows: readonly Row[] = [
  {
    ...base,
    name: 'growth-backends',
    work: 'growth from 1 to 10,000 backends',
    originAddress: '0.0.0.0',
    contenders: contendersOf('weir', ends((count) => ({ ...unprobed, backends: manyBackends(count) })), { tool: 'closed' }),
  },
  {
    ...base,
    name: 'growth-routes',
    work: 'growth from 1 to 10,000 routes',
    contenders: contendersOf('weir', ends((count) => ({ routing: manyRoutes(count) })), { tool: 'closed' }),
  },
  {
    ...base,
    name: 'growth-connections',
    work: 'growth from 8 to 8,000 connections, by HAProxy’s growth',
    judgement: 'growth-against-haproxy',
    atMost: 1,
    contenders: [...contendersOf('weir', connectionEnds(), paced), ...contendersOf('haproxy', connectionEnds(haproxyRoomy), paced)],
  },
];
