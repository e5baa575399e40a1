/** A listener: where connections come in, what they may cost, which routes they have. */
import { z } from 'zod';
import { bindAddress, cidr } from './addresses.ts';
import { choice, choiceOrOff, duration, flag, oneOrMany, size, text, whole } from './leaves.ts';
import { note } from './notes.ts';
import { route } from './routes.ts';

const limits = note(
  z.strictObject({
    connections: whole(0).prefault(20000).describe('Client connections, over all workers; when full, idle ones go first, then new ones are closed. 0: no limit.'),
    headerSize: size(512, 1024 * 1024).prefault('32KiB').describe('Head of a request (431, or 414 for its target) or of an answer (502).'),
    headerCount: whole(1, 10_000).prefault(128).describe('Header fields of a request (431) or an answer (502).'),
    bodySize: size(0).prefault(0).describe('Body of a request; then 413. 0: no limit.'),
  }),
  { later: ['responses'] },
);

const timeouts = z.strictObject({
  header: duration({ zero: true }).prefault('10s').describe('Until the head of a request is whole; then 408, or a silent close if no byte came.'),
  body: duration({ zero: true }).prefault('30s').describe('Silence while a request body is due; then 408.'),
  send: duration({ zero: true }).prefault('60s').describe('The client takes no bytes of the answer.'),
  idle: duration({ zero: true }).prefault('60s').describe('Between two requests of a connection.'),
  tunnel: duration({ zero: true }).prefault('1h').describe('Silence after an upgrade.'),
});

export const listener = note(
  z.strictObject({
    bind: oneOrMany(bindAddress(), 'an address to listen on such as ":8080", or a list').describe('Address or list of addresses. Without a host: every address, IPv4 and IPv6. Port 0: a free one, the same in all workers.'),
    protocol: choice(['http'], ['tcp', 'udp']).prefault('http').describe('What clients speak.'),
    trustedProxies: z.array(cidr()).prefault([]).describe('Networks whose X-Forwarded headers are believed.'),
    proxyProtocol: choiceOrOff([], ['accept', 'require']).prefault('off').describe('PROXY protocol in front of connections.'),
    via: flag().prefault(false).describe('Adds Via.'),
    forwarded: flag().prefault(false).describe('Adds the Forwarded header of RFC 7239.'),
    limits: limits.prefault({}).describe('What clients may use.'),
    timeouts: timeouts.prefault({}).describe('Limits in time, to 100 ms; 0 is no limit.'),
    pool: text('the name of a pool').optional().describe('Short for a last route without match.'),
    routes: z.array(route).prefault([]).describe('The first that matches wins; none: 404.'),
  }),
  { later: ['sni', 'tls'] },
);
