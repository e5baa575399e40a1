/**
 * A DNS query and the head of its answer (RFC 1035 §4.1), which is all that a
 * probe reads: nothing behind the question is looked at, so no record and no
 * compressed name of a hostile server is ever parsed. An answer cut to the size
 * of a datagram is as good as a whole one.
 */
import { BadAnswer } from './talk-script.ts';

export const recordTypes: Readonly<Record<string, number>> = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, NAPTR: 35, DS: 43, DNSKEY: 48, SVCB: 64, HTTPS: 65, ANY: 255, CAA: 257 };

/** By their number. */
export const responseCodes = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE'] as const;

const HEAD_BYTES = 12;
const IS_ANSWER = 0x8000;
const OPCODE = 0x7800;
const RECURSION_DESIRED = 0x0100;
const CLASS_IN = 1;
const NAME_BYTES_MAX = 255;
const LABEL = /^[^.]{1,63}$/;

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
}

/** `example.com MX`; null: it is none. A type without a number of ours is written `TYPE123` (RFC 3597). */
export function parseQuestion(text: string): DnsQuestion | null {
  const match = /^([\x21-\x7e]+) +([A-Za-z0-9]+)$/.exec(text);
  if (match === null) return null;
  const question = { name: match[1]!.toLowerCase().replace(/(?<=.)\.$/, ''), type: match[2]!.toUpperCase() };
  const labels = labelsOf(question.name);
  const isName = labels.every((label) => LABEL.test(label)) && nameBytes(labels).length <= NAME_BYTES_MAX;
  return isName && typeNumber(question.type) !== null ? question : null;
}

export function buildQuery(id: number, { name, type }: DnsQuestion): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(RECURSION_DESIRED, 2);
  head.writeUInt16BE(1, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(typeNumber(type)!, 0);
  tail.writeUInt16BE(CLASS_IN, 2);
  return Buffer.concat([head, nameBytes(labelsOf(name)), tail]);
}

/**
 * The response code of `datagram`, an answer to `query`; null: it answers
 * another query. Throws BadAnswer for what is no answer of DNS at all.
 */
export function readResponseCode(datagram: Buffer, query: Buffer): string | null {
  if (datagram.length < HEAD_BYTES) throw new BadAnswer('malformed answer: not DNS');
  if (datagram.readUInt16BE(0) !== query.readUInt16BE(0)) return null;
  const flags = datagram.readUInt16BE(2);
  if ((flags & IS_ANSWER) === 0 || (flags & OPCODE) !== 0) throw new BadAnswer('malformed answer: not an answer of DNS');
  const code = flags & 0xf;
  // A server that refuses or cannot read the query may leave it out of its answer.
  if (datagram.readUInt16BE(4) === 0 && code !== 0) return codeName(code);
  if (!asksTheSame(datagram, query)) throw new BadAnswer('malformed answer: it is to another question');
  return codeName(code);
}

/** The name in whatever case: a server may answer in its own. */
function asksTheSame(datagram: Buffer, query: Buffer): boolean {
  const question = (bytes: Buffer): string => bytes.toString('latin1', HEAD_BYTES, query.length).toLowerCase();
  return datagram.readUInt16BE(4) === 1 && question(datagram) === question(query);
}

function codeName(code: number): string {
  return responseCodes[code] ?? `RCODE${code}`;
}

function typeNumber(type: string): number | null {
  const known = Object.hasOwn(recordTypes, type) ? recordTypes[type] : undefined;
  if (known !== undefined) return known;
  const number = Number(/^TYPE([0-9]{1,5})$/.exec(type)?.[1] ?? Number.NaN);
  return number <= 0xffff ? number : null;
}

/** `.` is the root, which has none. */
function labelsOf(name: string): string[] {
  return name === '.' ? [] : name.split('.');
}

function nameBytes(labels: readonly string[]): Buffer {
  return Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]), Buffer.from([0])]);
}
