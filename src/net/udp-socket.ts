/**
 * UDP sockets that are bound, or connected, when the call returns: an address
 * given as a literal needs no lookup, and without one the runtime does both at
 * once. The same for the address of each datagram that a bound socket sends.
 */
import { createSocket, type Socket } from 'node:dgram';

/** The largest datagram of IPv4: 65,535 bytes without the headers of IP and UDP. */
export const DATAGRAM_BYTES_MAX = 65_507;

/** IPv6 carries twenty bytes more, which so pass only where both ends speak it. */
export function fitsDatagram(bytes: Buffer, host: string): boolean {
  return bytes.length <= DATAGRAM_BYTES_MAX || isV6(host);
}

export interface UdpBindOptions {
  /** Shares the port with other sockets that set it, which the kernel spreads the senders over. */
  readonly reusePort: boolean;
  /** What the kernel may hold for it until it is read; it cuts this to net.core.rmem_max. */
  readonly receiveBytesMax?: number;
}

/** In the runtime's own form, which hands the family on as a number. */
const asWritten = (host: string, _family: unknown, callback: (error: null, address: string, family: number) => void): void => callback(null, host, 0);

/**
 * `host`: a literal IP, link-local ones with their zone (`fe80::1%eth0`). "::"
 * leaves IPv4 to a bind of its own. The caller listens for 'error'.
 * @throws the system's error (EADDRINUSE, EACCES, EADDRNOTAVAIL …)
 */
export function bindUdp(host: string, port: number, options: UdpBindOptions): Socket {
  const { reusePort, receiveBytesMax } = options;
  const socket = createSocket({ ...typeOf(host), reusePort, ipv6Only: host === '::', lookup: asWritten, ...(receiveBytesMax === undefined ? {} : { recvBufferSize: receiveBytesMax }) });
  bindNow(socket, host, port);
  return socket;
}

/**
 * A socket that receives from this address alone, and is told when it refuses.
 * What fails later, the connect included, comes as 'error'; a socket whose
 * connect failed is told apart by the port that its `send` misses
 * (ERR_SOCKET_BAD_PORT).
 * @throws the system's error if there is no socket or port left
 */
export function connectUdp(host: string, port: number, onMessage: (bytes: Buffer) => void, onError: (error: Error) => void): Socket {
  const socket = createSocket({ ...typeOf(host), lookup: asWritten }, onMessage);
  // Left to `connect`, a bind that failed would leave a socket that cannot be closed.
  bindNow(socket, isV6(host) ? '::' : '0.0.0.0', 0);
  socket.on('error', onError);
  socket.connect(port, host);
  return socket;
}

function bindNow(socket: Socket, host: string, port: number): void {
  let failure: Error | null = null;
  const onError = (error: Error): void => void (failure = error);
  socket.on('error', onError);
  socket.bind({ address: host, port, exclusive: true });
  socket.off('error', onError);
  if (failure === null) return;
  socket.close();
  throw failure as Error;
}

function typeOf(host: string): { type: 'udp4' | 'udp6' } {
  return { type: isV6(host) ? 'udp6' : 'udp4' };
}

/** Of a literal. The runtime's own question is a regular expression of a page, asked here three times a session. */
function isV6(host: string): boolean {
  return host.includes(':');
}
