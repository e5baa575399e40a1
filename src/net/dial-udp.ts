/**
 * Opens a UDP socket that talks to one literal address. It is connected: the
 * kernel drops datagrams from anyone else, and tells of an ICMP refusal by an
 * 'error' (ECONNREFUSED). Passed in as a `DialUdp`, so that a test can own the
 * network. The caller closes it.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import type { DialTarget } from './dial.ts';

/** Returns a socket that is connecting; 'connect' or 'error' follows. Throws only for an address that is no literal IP. */
export type DialUdp = (to: DialTarget) => Socket;

export const dialUdp: DialUdp = (to) => {
  const family = isIP(to.address);
  if (family === 0) throw new Error(`not a literal IP address: ${to.address}`);
  // There is no name to look up: an answer at once spares the runtime's resolver.
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', lookup: (address, _options, done) => done(null, address, family) });
  socket.connect(to.port, to.address);
  return socket;
};
