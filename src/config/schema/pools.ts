/** A pool: its backends, how one is picked, how they are watched. */
import { z } from 'zod';
import { backendAddress, type BackendAddress } from './addresses.ts';
import { algorithm } from './algorithm.ts';
import { health, HEALTH_FORM } from './health.ts';
import { choice, choiceOrOff, duration, flag, off, oneOrMany, share, whole } from './leaves.ts';
import { Fault, leaf, note } from './notes.ts';
import { poolTls } from './tls.ts';

const BACKEND_FORM = 'an address such as 10.0.0.11:8080, or a map with address';

const backendMap = z.strictObject({
  address: backendAddress().describe('IP address or name, with port. A name is one backend, looked up every 30 s.'),
  weight: whole(0, 1000).prefault(1).describe('Share of the picks. 0 takes nothing new, like drain.'),
  priority: whole(0).prefault(0).describe('0 is used first.'),
  state: choice(['ready', 'drain', 'disabled']).prefault('ready').describe('drain takes nothing new; disabled is not probed either.'),
});

const backendShort = leaf(z.string(), ['string'], BACKEND_FORM, (value: string) => {
  const parsed = backendMap.safeParse({ address: value });
  return parsed.success ? parsed.data : new Fault(parsed.error.issues[0]!.message);
});
const backend = note(z.union([backendShort, backendMap]), { expected: BACKEND_FORM, longForm: 'address' });

const outlierMap = z.strictObject({
  consecutiveFailures: whole(1).prefault(5).describe('Timeouts, resets and malformed answers in a row that eject; a refused connect ejects at once.'),
  ejectFor: duration({ zero: false }).prefault('30s').describe('Longest ejection; the first is 1s, then doubling.'),
  maxEjected: share().prefault('50%').describe('Share of the backends that may be ejected; one of two always may, the last one never.'),
});

const connections = note(
  z.strictObject({
    perBackend: whole(0).prefault(0).describe('Connections to one backend, over all workers. 0: no limit.'),
    connectTimeout: duration({ zero: true }).prefault('2s').describe('Until a backend accepts; outlives one lost SYN.'),
    idle: duration({ zero: true }).prefault('4s').describe('How long an unused connection is kept; below the 5s of many servers.'),
  }),
  { later: ['max', 'queue'] },
);

type PoolProtocol = 'http1' | 'h2' | 'h2c';

/** What clients speak is the listener's; a pool says only how HTTP is spoken to its backends. */
const protocol = leaf<PoolProtocol, PoolProtocol>(z.enum(['http1', 'h2', 'h2c']), ['string'], 'http1, h2 or h2c', (value: string) => {
  if (value === 'http1' || value === 'h2' || value === 'h2c') return value;
  if (value === 'tcp' || value === 'udp') return new Fault("is the listener's to say", { expected: `no protocol here, and protocol: ${value} in the listener` });
  return new Fault('is not known here');
});

const healths = note(oneOrMany(health, HEALTH_FORM), { longForm: 'type' });

export const pool = note(
  z.strictObject({
    algorithm: algorithm.prefault('round-robin').describe('How a backend is picked: a name, or a map with name, key and options.'),
    backends: z.array(backend).describe('Addresses, or maps.'),
    protocol: protocol.prefault('http1').describe('What backends of http listeners speak.'),
    proxyProtocol: choiceOrOff(['v1', 'v2']).prefault('off').describe('The PROXY header that connections to backends begin with, those of probes too.'),
    tls: poolTls.optional().describe('TLS to the backends, their probes too; absent: in the clear.'),
    onDown: choice(['keep', 'close']).prefault('keep').describe('Connections of tcp listeners to a backend that goes down.'),
    fence: flag().prefault(false).describe('In a pool with role: primary: stop when cut off from the store, so that no two primaries are ever served.'),
    health: healths.optional().describe('How backends are probed: a type, a map, or a list of them, of which all must pass. Absent: not at all.'),
    outlier: note(z.union([off('off, or a map'), outlierMap]), { expected: 'off, or a map' }).prefault({}).describe('Ejects backends that fail under traffic; off: none.'),
    panicThreshold: share().prefault('50%').describe('Usable share of the ready weight below which the next priority joins, or all backends are used. 0%: never.'),
    connections: connections.prefault({}).describe('Connections to the backends.'),
  }),
  { later: ['discover', 'affinity', 'slowStart'] },
);

export type Backend = BackendAddress & z.output<typeof backendMap>;
