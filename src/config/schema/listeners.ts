/**
 * A listener: where connections come in, what they may cost, which routes they
 * have. Its protocol chooses the map, so that a key which means nothing there
 * is a mistake that is told, and not one that is read over.
 */
import { z } from 'zod';
import { nearest } from '../nearest.ts';
import { bindAddress, cidr } from './addresses.ts';
import { alternatives, choice, choiceOrOff, duration, flag, oneOrMany, size, text, whole } from './leaves.ts';
import { SNI_FORM, sniText } from './match.ts';
import { Fault, note } from './notes.ts';
import { route, tcpRoute, udpRoute } from './routes.ts';
import { httpTls, tcpTls } from './tls.ts';

/** Each of them may be made to cost memory and time before it has said who it is. */
const handshakes = whole(1).prefault(1000).describe('TLS handshakes under way, in each worker; when full, the oldest goes for a new one.');

const httpLimits = z.strictObject({
  connections: whole(0).prefault(20000).describe('Client connections, over all workers; when full, idle ones go first, then new ones are closed. 0: no limit.'),
  headerSize: size(512, 1024 * 1024).prefault('32KiB').describe('Head of a request (431, or 414 for its target) or of an answer (502).'),
  headerCount: whole(1, 10_000).prefault(128).describe('Header fields of a request (431) or an answer (502).'),
  bodySize: size(0).prefault(0).describe('Body of a request; then 413. 0: no limit.'),
  streams: whole(0).prefault(100).describe('Requests at once on one HTTP/2 connection; more are refused, to be sent again. 0: no limit.'),
  resets: whole(0).prefault(200).describe('Streams of one HTTP/2 connection that end early in 10 s, by its client or because it broke a rule; then the connection is closed. 0: no limit.'),
  controlFrames: whole(0).prefault(2000).describe('Frames of one HTTP/2 connection that carry nothing of a request (SETTINGS, PING, PRIORITY, empty DATA, WINDOW_UPDATE beyond what answers need) in 10 s; then it is closed. 0: no limit.'),
  handshakes,
});
const tcpLimits = z.strictObject({
  connections: whole(0).prefault(20000).describe('Client connections, over all workers; when full, new ones are closed. 0: no limit.'),
  handshakes,
});
const udpLimits = z.strictObject({
  connections: whole(0).prefault(20000).describe('Sessions, over all workers; when full, those never answered go first, then the oldest. 0: no limit.'),
  responses: whole(0).prefault(0).describe('A session ends once there were so many answers to each datagram of its client: 1 for DNS and its like. 0: never.'),
});

const httpTimeouts = z.strictObject({
  header: duration({ zero: true }).prefault('10s').describe('Until a PROXY header has come and a TLS handshake is done, and from then until the head of a request is whole; then 408, or a silent close if no byte came.'),
  body: duration({ zero: true }).prefault('30s').describe('Silence while a request body is due; then 408.'),
  send: duration({ zero: true }).prefault('60s').describe('The client takes no bytes of the answer.'),
  idle: duration({ zero: true }).prefault('60s').describe('Between two requests of a connection.'),
  tunnel: duration({ zero: true }).prefault('1h').describe('Silence after an upgrade.'),
});
const tcpTimeouts = z.strictObject({
  header: duration({ zero: true }).prefault('10s').describe('Until a PROXY header, the ClientHello that routes ask for and a TLS handshake are done; then the connection is closed.'),
  idle: duration({ zero: true }).prefault('1h').describe('Silence in both directions; then the connection is closed.'),
});
const udpTimeouts = z.strictObject({
  idle: duration({ zero: false }).prefault('30s').describe('Silence in both directions; then the session is forgotten.'),
});

const bind = oneOrMany(bindAddress(), 'an address to listen on such as ":8080", or a list').describe('Address or list of addresses. Without a host: every address, IPv4 and IPv6. Port 0: a free one, the same in all workers.');
const trustedProxies = z.array(cidr()).prefault([]);
const proxyProtocol = choiceOrOff(['accept', 'require']).prefault('off').describe('The PROXY header, v1 or v2, in front of connections from trustedProxies: read if there is one, or asked of every connection.');
const poolName = text('the name of a pool');
const lastPool = poolName.optional().describe('Short for a last route without match.');
const LIMITS = 'What clients may use.';
const TIMEOUTS = 'Limits in time, to 100 ms; 0 is no limit.';

const httpListener = z.strictObject({
  bind,
  protocol: choice(['http']).prefault('http').describe('What clients speak: http, tcp or udp.'),
  trustedProxies: trustedProxies.describe('Networks whose X-Forwarded headers and PROXY header are believed.'),
  proxyProtocol,
  http2: flag().prefault(true).describe('Takes HTTP/2, too: over TLS where ALPN agrees on it, in the clear from clients that begin with its preface.'),
  tls: httpTls.optional().describe('TLS ends here; absent: clients speak in the clear.'),
  via: flag().prefault(false).describe('Adds Via.'),
  forwarded: flag().prefault(false).describe('Adds the Forwarded header of RFC 7239.'),
  limits: httpLimits.prefault({}).describe(LIMITS),
  timeouts: httpTimeouts.prefault({}).describe(TIMEOUTS),
  pool: lastPool,
  routes: z.array(route).prefault([]).describe('The first that matches wins; none: 404.'),
});
const tcpListener = z.strictObject({
  bind,
  protocol: choice(['tcp']).describe('What clients speak: anything over TCP; without tls, TLS too, which is passed on as it is.'),
  trustedProxies: trustedProxies.describe('Networks whose PROXY header is believed.'),
  proxyProtocol,
  tls: tcpTls.optional().describe('TLS ends here; absent: bytes are passed on as they come.'),
  limits: tcpLimits.prefault({}).describe(LIMITS),
  timeouts: tcpTimeouts.prefault({}).describe(TIMEOUTS),
  sni: note(z.record(sniText, poolName), { keyName: 'SNI', expected: `a map from ${SNI_FORM} to the name of a pool` })
    .prefault({})
    .describe('Pools by the server name that a TLS client asks for: short for routes by sni after those written out, exact names first, then longer wildcards.'),
  pool: lastPool,
  routes: z.array(tcpRoute).prefault([]).describe('The first that matches wins; none: the connection is closed.'),
});
const udpListener = z.strictObject({
  bind,
  protocol: choice(['udp']).describe('What clients speak: datagrams.'),
  limits: udpLimits.prefault({}).describe(LIMITS),
  timeouts: udpTimeouts.prefault({}).describe(TIMEOUTS),
  pool: lastPool,
  routes: z.array(udpRoute).prefault([]).describe('The first that matches wins; none: the datagram is dropped.'),
});

const maps = { http: httpListener, tcp: tcpListener, udp: udpListener };
tellUnfit(maps);
tellUnfit({ http: httpLimits, tcp: tcpLimits, udp: udpLimits });
tellUnfit({ http: httpTimeouts, tcp: tcpTimeouts, udp: udpTimeouts });
tellUnfit({ http: route, tcp: tcpRoute, udp: udpRoute });
tellUnfit({ http: route.shape.match.unwrap(), tcp: tcpRoute.shape.match.unwrap(), udp: udpRoute.shape.match.unwrap() });

/** A key that another protocol has is known, but not here. */
function tellUnfit(schemas: Readonly<Record<string, z.ZodObject>>): void {
  const known = Object.values(schemas).flatMap((schema) => Object.keys(schema.shape));
  for (const [protocol, schema] of Object.entries(schemas)) {
    note(schema, { unfit: { keys: known.filter((key) => !(key in schema.shape)), message: `does not go with protocol ${protocol}` } });
  }
}

const PROTOCOLS = Object.keys(maps);

export const listener = note(z.union([maps.http, maps.tcp, maps.udp]), {
  expected: 'a map with bind',
  choose: (read) => {
    const protocol = read('protocol');
    if (protocol === undefined) return maps.http;
    const map = Object.entries(maps).find(([name]) => name === protocol)?.[1];
    return map ?? { fault: new Fault('is not known here', { expected: alternatives(PROTOCOLS), suggestion: nearest(String(protocol), PROTOCOLS) }), key: 'protocol' };
  },
});

export type Listener = z.output<typeof listener>;

/** Every protocol's map, for the reference page. */
export const listenerMaps: ReadonlyMap<string, z.ZodObject> = new Map(Object.entries(maps));

/** What a listener of another protocol has in the places that it has no keys for. */
export const httpDefaults = { limits: httpLimits.parse({}), timeouts: httpTimeouts.parse({}) };
