/** What concerns the proxy and its tier, not traffic: `tier`, `drain`, `admin`, `log`. */
import { z } from 'zod';
import { bindAddress } from './addresses.ts';
import { choice, choiceOrOff, duration, name, text, whole } from './leaves.ts';
import { Fault, leaf, note } from './notes.ts';
import { broken } from './rules.ts';
import { shownStoreUrl, STORE_FORM, storeUrlFault } from './store-url.ts';

/** Its password is masked wherever the value is shown. */
const store = note(text(STORE_FORM, storeUrlFault), { shown: shownStoreUrl });

export const tier = z
  .strictObject({
    name: name().prefault('default').describe('Name of the tier; must be set when there is a store.'),
    store: store.prefault('none').describe('Where the tier keeps what it agrees on; none: this proxy alone.'),
    heartbeat: duration({ zero: false }).prefault('1s').describe('How often a member renews its lease.'),
    lease: duration({ zero: false }).prefault('3s').describe('How long a silent member counts; at least 3 heartbeats.'),
    probers: whole(1, 99).prefault(3).describe('Members that probe one backend; best an odd number.'),
  })
  .check((context) => {
    const { heartbeat, lease } = context.value;
    if (lease < 3 * heartbeat) broken(context, ['lease'], 'is less than 3 heartbeats', { expected: `at least ${3 * heartbeat}ms` });
  });

export const drain = z.strictObject({
  delay: duration({ zero: true }).prefault('5s').describe('After TERM, readyz fails and accepting goes on for so long.'),
  timeout: duration({ zero: true }).prefault('20s').describe('Then open exchanges may take so long. 0: no limit.'),
  removed: duration({ zero: true }).prefault('10m').describe('Connections of a removed listener or backend may last so long. 0: no limit.'),
});

/** RFC 6750 §2.1: what may follow "Bearer". */
const token = note(
  text('a token of letters, digits and -._~+/=, or file:PATH', (value) => (/^[A-Za-z0-9._~+/-]+=*$/.test(value) ? null : new Fault('is not a token'))),
  { secret: true },
);

export const admin = z.strictObject({
  bind: bindAddress().prefault('127.0.0.1:9900').describe('Where the admin interface listens.'),
  token: token.prefault('none').describe('Bearer token; file:PATH reads it from a file. Off loopback there must be one.'),
  readToken: token.prefault('none').describe('Token that may only GET.'),
});

const ACCESS_FORM = 'off, json, common or combined, or a map with format and to';
const accessFormat = choiceOrOff(['json', 'common', 'combined']);
const accessMap = z.strictObject({
  format: accessFormat.prefault('off').describe('off, json, common or combined.'),
  to: text('stdout, or the path of a file', (value) => (value === '' ? new Fault('is empty') : null)).prefault('stdout').describe('stdout, or a file.'),
});
const accessShort = leaf<string | false, z.output<typeof accessMap>>(z.union([z.enum(['off', 'json', 'common', 'combined']), z.literal(false)]), ['string', 'boolean'], ACCESS_FORM, (value) => accessMap.parse({ format: value }));

export const log = z.strictObject({
  level: choice(['trace', 'debug', 'info', 'warn', 'error']).prefault('info').describe('Least severity that is logged.'),
  format: choice(['json', 'text']).optional().describe('Absent: json, but text on a terminal.'),
  access: note(z.union([accessShort, accessMap]), { expected: ACCESS_FORM, longForm: 'format' }).prefault({}).describe('A line for each request.'),
});
