/**
 * Version 1 of the PROXY protocol: one line of text. Pure; called by
 * proxy-protocol.ts once the signature has been seen. A byte that no header
 * could have in its place makes it `bad` at once.
 */
import { formatAddress, parseAddress, parseIpv4 } from './address.ts';
import { V1_SIGNATURE, type ProxyHeader, type ProxyResult } from './proxy-header.ts';

/** Of the whole line, CR LF included (proxy-protocol.txt §2.1). */
export const V1_BYTES_MAX = 107;

const CR = 13;
const LF = 10;
const SPACE = 32;
const UNKNOWN = 'UNKNOWN';

/** bytes[start, end) begin with the signature. */
export function parseV1(bytes: Buffer, start: number, end: number, into: ProxyHeader): ProxyResult {
  const at = start + V1_SIGNATURE.length;
  const lastStart = start + V1_BYTES_MAX - 2;
  into.version = 1;
  const family = v1Family(bytes, at, end);
  if (family === 'more' || family === 'bad') return family;
  let cr = at + family.length;
  if (family === UNKNOWN) {
    // Whatever it goes on to say is to be ignored, up to the end of the line.
    if (cr < end && bytes[cr] !== CR && bytes[cr] !== SPACE) return 'bad';
    while (cr < end && bytes[cr]! >= SPACE && cr <= lastStart) cr++;
  } else {
    cr = parseV1Ends(bytes, cr, end, family === 'TCP4', into);
    if (cr < 0) return 'bad';
  }
  if (cr > lastStart) return 'bad';
  if (cr >= end) return 'more';
  if (bytes[cr] !== CR) return 'bad';
  if (cr + 1 === end) return 'more';
  if (bytes[cr + 1] !== LF) return 'bad';
  into.headerBytes = cr + 2 - start;
  return 'ok';
}

function v1Family(bytes: Buffer, at: number, end: number): 'TCP4' | 'TCP6' | typeof UNKNOWN | 'more' | 'bad' {
  for (const word of ['TCP4 ', 'TCP6 ', UNKNOWN] as const) {
    let same = 0;
    while (same < word.length && at + same < end && bytes[at + same] === word.charCodeAt(same)) same++;
    if (same === word.length) return word === UNKNOWN ? UNKNOWN : word === 'TCP4 ' ? 'TCP4' : 'TCP6';
    if (at + same >= end) return 'more';
  }
  return 'bad';
}

const V4_LENGTH_MAX = 15;
/** With an IPv4 address as its last 32 bits, as inet_ntop writes mapped ones. */
const V6_LENGTH_MAX = 45;

/** Four fields, each after one space. Returns where the CR belongs, `end` or beyond if that has not come, -1 if it is broken. */
function parseV1Ends(bytes: Buffer, at: number, end: number, isV4: boolean, into: ProxyHeader): number {
  const lengthMax = isV4 ? V4_LENGTH_MAX : V6_LENGTH_MAX;
  let field = at;
  for (let index = 0; index < 4; index++) {
    if (field >= end) return end;
    if (bytes[field] !== SPACE) return -1;
    const from = field + 1;
    const isPort = index >= 2;
    const to = isPort ? digitsEnd(bytes, from, end) : addressEnd(bytes, from, end, isV4);
    if (to - from > (isPort ? 5 : lengthMax)) return -1;
    if (isPort && to - from > 1 && bytes[from] === 48) return -1;
    const text = bytes.toString('latin1', from, to);
    if (to < end || isPort ? !takeV1Field(text, index, isV4, to < end, into) : !beginsAddress(text, isV4)) return -1;
    if (to >= end) return end;
    field = to;
  }
  return field;
}

/** `isWhole`: what follows it has come. */
function takeV1Field(text: string, index: number, isV4: boolean, isWhole: boolean, into: ProxyHeader): boolean {
  if (index >= 2) {
    const port = Number(text);
    if (port > 65535 || (isWhole && text === '')) return false;
    if (index === 2) into.sourcePort = port;
    else into.destinationPort = port;
    into.isLocal = false;
    return true;
  }
  const address = isV4 ? (parseIpv4(text) === -1 ? null : text) : v6Text(text);
  if (address === null) return false;
  if (index === 0) into.sourceAddress = address;
  else into.destinationAddress = address;
  return true;
}

function v6Text(text: string): string | null {
  if (!text.includes(':')) return null;
  const address = parseAddress(text);
  return address === null ? null : formatAddress(address);
}

const V4_REST = ['', '.0', '.0.0', '.0.0.0', '0', '0.0', '0.0.0', '0.0.0.0'] as const;
const V6_REST = [...V4_REST, ':', '::', ':0', '::0'] as const;

/** Some rest would make an address of it. */
function beginsAddress(text: string, isV4: boolean): boolean {
  return isV4 ? V4_REST.some((rest) => parseIpv4(text + rest) !== -1) : V6_REST.some((rest) => v6Text(text + rest) !== null);
}

function digitsEnd(bytes: Buffer, from: number, end: number): number {
  let to = from;
  while (to < end && bytes[to]! >= 48 && bytes[to]! <= 57) to++;
  return to;
}

function addressEnd(bytes: Buffer, from: number, end: number, isV4: boolean): number {
  let to = from;
  while (to < end && isAddressByte(bytes[to]!, isV4)) to++;
  return to;
}

function isAddressByte(byte: number, isV4: boolean): boolean {
  if ((byte >= 48 && byte <= 57) || byte === 46) return true;
  if (isV4) return false;
  const lower = byte | 32;
  return byte === 58 || (lower >= 97 && lower <= 102);
}
