/** parseProxyHeader: its properties, and what it takes or refuses held against the strict reader; what it read is built and read again. */
import { ProxyHeader } from '../../../src/net/proxy-header.ts';
import { buildProxyHeader, parseProxyHeader } from '../../../src/net/proxy-protocol.ts';
import { SIGNATURE, tlv } from '../../support/proxy-bytes.ts';
import { readStrictProxyHeader } from '../readers/strict-proxy-header.ts';
import { checkHeadParser, textOf, type Outcome } from './head-properties.ts';
import { demand, demandSame, type FuzzTarget } from './target.ts';

/** Used for every parse: what one leaves in it must not show in the next. */
const header = new ProxyHeader();
const RESULTS = { more: 0, none: -1, bad: -2 } as const;

function parse(bytes: Buffer, start: number, end: number): Outcome {
  const result = parseProxyHeader(bytes, start, end, header);
  return result === 'ok' ? { result: header.headerBytes, text: describe() } : { result: RESULTS[result], text: '' };
}

function describe(): string {
  const { version, isLocal, sourceAddress, sourcePort, destinationAddress, destinationPort, isChecked } = header;
  const views = [header.alpn, header.authority, header.uniqueId, header.ssl, header.netns].map((view) => view?.toString('latin1') ?? null);
  return JSON.stringify([version, isLocal ? null : [sourceAddress, sourcePort, destinationAddress, destinationPort], ...views, isChecked]);
}

const ends = { sourceAddress: '192.0.2.1', sourcePort: 4711, destinationAddress: '198.51.100.2', destinationPort: 443 };
const ends6 = { ...ends, sourceAddress: '2001:db8::1', destinationAddress: '2001:db8::2' };
const built = (['v1', 'v2'] as const).flatMap((version) => [null, ends, ends6].map((from) => buildProxyHeader(version, from, { authority: 'a.example', alpn: 'h2', uniqueId: Buffer.from('id'), hasChecksum: true })));

export const proxyHeaderTarget: FuzzTarget = {
  name: 'proxy-header',
  watched: ['/net/proxy-protocol.ts', '/net/proxy-v1.ts', '/net/proxy-v2.ts'],
  seeds: [...built.map((bytes) => textOf(bytes)), 'PROXY TCP6 ::ffff:192.0.2.1 fe80::1 0 65535\r\n', 'PROXY UNKNOWN a b\r\nGET', `${SIGNATURE}\x21\x32\0\xd8${'/'.repeat(216)}`],
  tokens: ['PROXY ', 'TCP4 ', 'TCP6 ', 'UDP4 ', 'UNKNOWN', ' ', '\r\n', '\r', '\n', '0', '65535', '65536', '255', '256', '1.2.3.4', '::', '::1', 'ffff:', '::ffff:1.2.3.4', '1:2:3:4:5:6:7:8', '%1', SIGNATURE, '\x20', '\x21', '\x00', '\x11', '\x12', '\x21', '\x31', '\0\x0c', '\0\x24', '\0\xd8', ...[1, 2, 3, 4, 5, 0x20, 0x30, 0xe0].flatMap((type) => [tlv(type, ''), tlv(type, 'abcd'), tlv(type, '\x01\0\0\0\0\x21\0\x01x')].map((bytes) => textOf(bytes)))],
  bytesMax: 600,
  check(input) {
    const { result } = checkHeadParser(parse, input);
    const text = textOf(input);
    const strict = readStrictProxyHeader(text);
    if (result <= 0) {
      demand(typeof strict === 'string', `${result === 0 ? 'incomplete' : 'refused'}, though it is a header`);
      return `${result} ${strict}`;
    }
    demand(typeof strict !== 'string', `accepted, though ${strict as string}`);
    parse(input, 0, input.length);
    const expected = JSON.stringify([strict.version, strict.ends, ...[0x01, 0x02, 0x05, 0x20, 0x30].map((type) => strict.tlvs.get(type) ?? null), strict.tlvs.has(0x03)]);
    demandSame(result, strict.bytes, 'the length');
    demandSame(describe(), expected, 'the reading');
    if (strict.ends !== null) checkBuilt(strict.ends);
    return `ok ${strict.version} ${strict.ends?.[0].includes(':')} ${[...strict.tlvs.keys()].sort().join()}`;
  },
};

function checkBuilt([sourceAddress, sourcePort, destinationAddress, destinationPort]: readonly [string, number, string, number]): void {
  for (const version of ['v1', 'v2'] as const) {
    const bytes = buildProxyHeader(version, { sourceAddress, sourcePort, destinationAddress, destinationPort });
    const { result, text } = parse(bytes, 0, bytes.length);
    demandSame(result, bytes.length, `built as ${version}, it is read otherwise`);
    demandSame(JSON.stringify((JSON.parse(text) as unknown[])[1]), JSON.stringify([sourceAddress, sourcePort, destinationAddress, destinationPort]), `built as ${version}, it names others`);
  }
}
