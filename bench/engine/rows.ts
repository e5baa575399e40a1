/**
 * The rows of the engine's table: who does which work, in which settings, and
 * how much of the better peer's CPU time it may cost Weir. Every contender is
 * a process of its own.
 */
import { findScenario, WEBSOCKET_PATH, type Scenario } from '../load/scenarios.ts';
import type { Settings } from '../load/targets.ts';
import { growthRows, haproxyRoomy } from './growth-rows.ts';

/** How a contender is loaded: `closed` sends the next request when the last one is answered; `paced` at a fixed rate, come what may. */
export type Drive = { readonly tool: 'closed' | 'websocket' | 'hold' } | { readonly tool: 'paced'; readonly ratePerS: number };

export interface Contender {
  /** Unique in its row. */
  readonly name: string;
  readonly of: 'weir' | 'nginx' | 'haproxy';
  /** In rows about growth: which end it is. */
  readonly end: 'small' | 'large' | null;
  readonly settings: Settings;
  readonly scenario: Scenario;
  readonly drive: Drive;
}

/** What `atMost` limits: Weir's cost by that of the better peer, its own growth, its growth by HAProxy's, or its cost alone. */
export type Judgement = 'against-better-peer' | 'growth' | 'growth-against-haproxy' | 'alone';

export interface Row {
  readonly name: string;
  /** As the table says it. */
  readonly work: string;
  readonly unit: 'µs/request' | 'µs/message' | 'ms/GB' | 'KiB/connection';
  readonly judgement: Judgement;
  readonly atMost: number;
  /** Without "weir again", which the bench adds. */
  readonly contenders: readonly Contender[];
  /** Every request must be found in the access log. */
  readonly logged: boolean;
  /** Where the backend listens. */
  readonly originAddress: string;
}

export const IDLE_CONNECTIONS = 8000;
const FIXED_RATE_PER_S = 2000;
/** Bytes that one request carries, by which `ms/GB` divides. */
export function bytesCarried(scenario: Scenario): number {
  return Math.max(scenario.uploadBytes, scenario.answerBytes);
}

const nginxUnbuffered: Settings = { buffering: 'off', requestBuffering: 'off' };
const haproxySplicing: Settings = { splice: 'option splice-auto' };
const closed: Drive = { tool: 'closed' };

interface Variant {
  readonly name: string;
  readonly of: Contender['of'];
  readonly settings?: Settings;
}

const plain: readonly Variant[] = [{ name: 'weir', of: 'weir' }, { name: 'nginx', of: 'nginx' }, { name: 'haproxy', of: 'haproxy' }];
const roomy: readonly Variant[] = plain.map((each) => (each.of === 'haproxy' ? { ...each, settings: haproxyRoomy } : each));
const largeBodies: readonly Variant[] = [
  ...plain,
  { name: 'nginx, unbuffered', of: 'nginx', settings: nginxUnbuffered },
  { name: 'haproxy, splicing', of: 'haproxy', settings: haproxySplicing },
];
const logging: readonly Variant[] = [
  { name: 'weir', of: 'weir', settings: { accessFormat: 'json' } },
  { name: 'nginx', of: 'nginx', settings: { accessLogging: '{{accessLog}} lines buffer=64k flush=1s' } },
  { name: 'haproxy', of: 'haproxy', settings: { logging: 'log stdout format raw local0\n    option httplog' } },
];
const doubled: readonly Variant[] = [
  { name: 'weir', of: 'weir', settings: { workers: '2' } },
  { name: 'nginx', of: 'nginx', settings: { workers: '2' } },
  { name: 'haproxy', of: 'haproxy', settings: { threads: '2' } },
];
const upgrading: readonly Variant[] = [
  { name: 'weir', of: 'weir' },
  { name: 'nginx', of: 'nginx', settings: { connection: 'proxy_set_header Connection upgrade; proxy_set_header Upgrade $http_upgrade;' } },
  { name: 'haproxy', of: 'haproxy' },
];

function contenders(variants: readonly Variant[], scenario: Scenario, drive: Drive): Contender[] {
  return variants.map(({ name, of, settings = {} }) => ({ name, of, end: null, settings, scenario, drive }));
}

function row(name: string, work: string, atMost: number, variants: readonly Variant[], scenario: Scenario, more: Partial<Row> & { drive?: Drive } = {}): Row {
  const { drive = closed, ...rest } = more;
  return { name, work, atMost, unit: 'µs/request', judgement: 'against-better-peer', logged: false, originAddress: '127.0.0.1', contenders: contenders(variants, scenario, drive), ...rest };
}

const small = findScenario('small');
const echo: Scenario = { ...small, name: 'websocket', summary: 'messages of 128 bytes over upgraded connections', path: WEBSOCKET_PATH, uploadBytes: 128, connections: 32 };

export const rows: readonly Row[] = [
  row('small', 'keep-alive, small answer', 0.95, plain, small),
  row('browser', 'browser-like heads, 12 fields each way, access log on', 0.95, logging, findScenario('browser'), { logged: true }),
  row('connect', 'a new connection per request', 1.25, plain, findScenario('connect')),
  row('answer-64k', '64 KiB answers', 0.9, largeBodies, findScenario('answer-64k'), { unit: 'ms/GB' }),
  row('answer-1m', '1 MiB answers', 0.85, largeBodies, findScenario('answer-1m'), { unit: 'ms/GB' }),
  row('upload-1m', '1 MiB uploads', 1.3, largeBodies, findScenario('upload-1m'), { unit: 'ms/GB' }),
  row('websocket', 'WebSocket echo, 128-byte messages', 1.25, upgrading, echo, { unit: 'µs/message', drive: { tool: 'websocket' } }),
  row('two-workers', 'two workers against two threads', 0.95, doubled, small),
  row('fixed-rate', '2,000 requests a second, 32 connections', 1.0, plain, { ...small, connections: 32 }, { drive: { tool: 'paced', ratePerS: FIXED_RATE_PER_S } }),
  row('idle-memory', 'memory per idle keep-alive connection, 8,000 of them', 4, roomy, { ...small, connections: IDLE_CONNECTIONS }, { unit: 'KiB/connection', judgement: 'alone', drive: { tool: 'hold' } }),
  ...growthRows,
];

export function findRow(name: string): Row {
  const found = rows.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no row "${name}"; there are: ${rows.map((each) => each.name).join(', ')}`);
  return found;
}

/** The rows with every closed loop over kept connections at a fixed rate instead. */
export function paced(chosen: readonly Row[], ratePerS: number): Row[] {
  return chosen.map((each) => ({
    ...each,
    contenders: each.contenders.map((contender) => {
      const steady = contender.drive.tool === 'paced' || (contender.drive.tool === 'closed' && !contender.scenario.newConnectionEach);
      return steady ? { ...contender, drive: { tool: 'paced', ratePerS } } : contender;
    }),
  }));
}
