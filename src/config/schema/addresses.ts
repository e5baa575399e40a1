/** Where to listen, what to connect to, who may call: addresses in every form the config takes. */
import { isIP, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { formatAddress, parseAddress, parseCidr } from '../../net/address.ts';
import type { BindSpec } from '../../shared/snapshot.ts';
import { Fault, leaf } from './notes.ts';

const BIND_FORM = 'an address to listen on: ":8080", "10.0.0.1:8080" or "[::1]:8080"';
const BACKEND_FORM = 'an address with a port: 10.0.0.11:8080, "[2001:db8::1]:8080" or app.internal:8080';

export interface BackendAddress {
  /** As written. */
  readonly address: string;
  /** Literal IP without brackets in its shortest form, or a name in lower case. */
  readonly host: string;
  readonly port: number;
  readonly named: boolean;
}

export function bindAddress(): z.ZodType<BindSpec, string> {
  return leaf(z.string(), ['string'], BIND_FORM, parseBind);
}

export function parseBind(value: string): BindSpec | Fault {
  const parts = splitPort(value);
  if (parts instanceof Fault) return parts;
  const { host, port } = parts;
  if (host === '' || host === '*') return host === '' ? { text: value, host: null, port } : new Fault('has a wildcard', { suggestion: `":${port}"` });
  if (isIP(host) !== 0) return { text: value, host: shortestIp(host), port };
  return new Fault(`names ${host}, not an IP address`, { suggestion: host === 'localhost' ? `127.0.0.1:${port}` : null });
}

export function backendAddress(): z.ZodType<BackendAddress, string> {
  return leaf(z.string(), ['string'], BACKEND_FORM, parseBackendAddress);
}

export function parseBackendAddress(value: string): BackendAddress | Fault {
  const url = /^([a-z]+):\/\/([^/]*)/.exec(value);
  if (url !== null) return new Fault('is a URL, not an address', { suggestion: url[2]! });
  const parts = splitPort(value);
  if (parts instanceof Fault) return parts;
  const { host, port } = parts;
  if (port === 0) return new Fault('has port 0', { expected: 'a port from 1 to 65535' });
  if (host === '') return new Fault('has no address before the port', { suggestion: `127.0.0.1:${port}` });
  if (isIP(host) !== 0) return { address: value, host: shortestIp(host), port, named: false };
  const fault = hostNameFault(host);
  if (fault?.suggestion !== undefined) return new Fault(fault.message, { suggestion: `${fault.suggestion}:${port}` });
  return fault ?? { address: value, host: host.toLowerCase().replace(/\.$/, ''), port, named: true };
}

/** `host:port` with IPv6 in brackets; the host comes without them and may be empty. */
function splitPort(value: string): { host: string; port: number } | Fault {
  const colon = value.lastIndexOf(':');
  if (colon !== value.indexOf(':') && isIPv6(value)) return new Fault('is IPv6 without brackets', { suggestion: bracketed(value) });
  const digits = value.slice(colon + 1);
  if (colon === -1 || digits.endsWith(']')) return new Fault('has no port', { suggestion: /^[0-9]+$/.test(value) ? `":${value}"` : null });
  if (!/^[0-9]{1,5}$/.test(digits) || Number(digits) > 65535) return new Fault('has no valid port', { expected: 'a port from 0 to 65535' });
  let host = value.slice(0, colon);
  if (host.startsWith('[')) {
    if (!host.endsWith(']') || !isIPv6(host.slice(1, -1)) || host.includes('%')) return new Fault('has no IPv6 address in its brackets');
    host = host.slice(1, -1);
  } else if (host.includes(':')) {
    return new Fault('is IPv6 without brackets', isIPv6(host) ? { suggestion: `"[${host}]:${digits}"` } : {});
  }
  return { host, port: Number(digits) };
}

/** What was most likely meant: a last group of two to five digits looks like a port. */
function bracketed(value: string): string {
  const [, address = '', port = ''] = /^(.*):([0-9]{2,5})$/.exec(value) ?? [];
  return isIPv6(address) ? `"[${address}]:${port}"` : `"[${value}]:8080"`;
}

function shortestIp(address: string): string {
  return formatAddress(parseAddress(address)!);
}

const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

/** null for a name that DNS could hold (RFC 1123 §2.1, and "_"). */
export function hostNameFault(value: string): Fault | null {
  const labels = value.replace(/\.$/, '').split('.');
  if (labels.every((label) => LABEL.test(label)) && value.length <= 253) {
    // RFC 1123 §2.1: what ends in a number was meant to be an IPv4 address.
    return /^[0-9]+$/.test(labels.at(-1)!) ? new Fault('is neither an IP address nor a name', { expected: 'four numbers from 0 to 255, or a name' }) : null;
  }
  // eslint-disable-next-line no-control-regex -- the range of ASCII is what is meant
  const ascii = /[^\x00-\x7f]/.test(value) ? domainToASCII(value) : '';
  return new Fault('is not a name that DNS could hold', { suggestion: ascii === '' ? null : ascii });
}

export function cidr(): z.ZodType<string, string> {
  return leaf(z.string(), ['string'], 'a network such as 10.0.0.0/8, or one address', readCidr);
}

/** → `network/bits`, bits beyond the prefix cleared. */
function readCidr(value: string): string | Fault {
  const parsed = value.includes('%') ? null : parseCidr(value);
  return parsed === null ? new Fault('is not a network') : `${formatAddress(parsed.first)}/${parsed.prefixLength}`;
}
