/** PROXY headers: what is read, what is refused and at which byte, and that what is built is read again. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { buildProxyHeader, parseProxyHeader, type ProxyExtras } from '../../src/net/proxy-protocol.ts';
import { ProxyHeader, type ProxyEnds, type ProxyResult } from '../../src/net/proxy-header.ts';
import { V2_BYTES_MAX } from '../../src/net/proxy-v2.ts';
import { ENDS_V4, ENDS_V6, SIGNATURE, tlv, v2Header } from '../support/proxy-bytes.ts';

/** One for all: what a header leaves in it must not show in the next. */
const header = new ProxyHeader();

function read(input: string | Buffer): { result: ProxyResult; header: ProxyHeader } {
  const bytes = typeof input === 'string' ? Buffer.from(input, 'latin1') : input;
  return { result: parseProxyHeader(bytes, 0, bytes.length, header), header };
}

function endsOf({ sourceAddress, sourcePort, destinationAddress, destinationPort }: ProxyEnds): unknown[] {
  return [sourceAddress, sourcePort, destinationAddress, destinationPort];
}

/** The number of bytes after which it is first something else than `more`, and what. */
function firstVerdict(input: string | Buffer): [bytes: number, ProxyResult] {
  const bytes = typeof input === 'string' ? Buffer.from(input, 'latin1') : input;
  for (let end = 0; end <= bytes.length; end++) {
    const result = parseProxyHeader(bytes, 0, end, header);
    if (result !== 'more') return [end, result];
  }
  return [bytes.length, 'more'];
}

describe('version 1', () => {
  it.each([
    ['PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n', ['192.0.2.1', 4711, '198.51.100.2', 443]],
    ['PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n', ['0.0.0.0', 0, '255.255.255.255', 65535]],
    ['PROXY TCP6 2001:DB8::1 ::1 1 2\r\n', ['2001:db8::1', 1, '::1', 2]],
    ['PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n', ['192.0.2.1', 1, '198.51.100.2', 2]],
    ['PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n', ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 65535, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 65535]],
  ])('%j names both ends, and nothing after it is read', (text, ends) => {
    const { result } = read(`${text}PROXY TCP4`);
    expect([result, header.version, header.isLocal, header.headerBytes, endsOf(header)]).toEqual(['ok', 1, false, text.length, ends]);
    expect(firstVerdict(text)).toEqual([text.length, 'ok']);
  });

  it.each(['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN ffff::1 whatever 1 2\r\n', `PROXY UNKNOWN ${'x'.repeat(107 - 16)}\r\n`])('%j names nobody', (text) => {
    const { result } = read(text);
    expect([result, header.isLocal, header.headerBytes, header.sourceAddress]).toEqual(['ok', true, text.length, '']);
  });

  it.each([
    ['GET / HTTP/1.1', 1, 'none'],
    ['PUT / HTTP/1.1', 2, 'none'],
    ['PROXYS', 6, 'none'],
    ['PROXY\r\n', 6, 'none'],
    ['proxy TCP4 ', 1, 'none'],
    ['PROXY tcp4', 7, 'bad'],
    ['PROXY UDP4 ', 8, 'bad'],
    ['PROXY TCP5', 10, 'bad'],
    ['PROXY TCP4\t', 11, 'bad'],
    ['PROXY TCP4  1', 12, 'bad'],
    ['PROXY TCP4 256', 14, 'bad'],
    ['PROXY TCP4 1.2.3.4.', 19, 'bad'],
    ['PROXY TCP4 01', 13, 'bad'],
    ['PROXY TCP4 1.2.3 ', 17, 'bad'],
    ['PROXY TCP4 a', 12, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 65536', 32, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 01', 29, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 -', 28, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1\r', 29, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 \r', 30, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ', 31, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n', 31, 'bad'],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r', 32, 'bad'],
    ['PROXY TCP4 ::1 ', 12, 'bad'],
    ['PROXY TCP6 1.', 13, 'bad'],
    ['PROXY TCP6 ::1::', 16, 'bad'],
    ['PROXY TCP6 12345', 16, 'bad'],
    ['PROXY TCP6 1:2:3:4:5:6:7:8:', 27, 'bad'],
    ['PROXY TCP6 fe80::1%', 19, 'bad'],
    ['PROXY UNKNOWNX', 14, 'bad'],
    ['PROXY UNKNOWN x\nGET', 16, 'bad'],
    [`PROXY UNKNOWN ${'x'.repeat(200)}`, 106, 'bad'],
  ])('%j is told at byte %i: %s', (text, at, expected) => {
    expect(firstVerdict(text)).toEqual([at, expected]);
  });
});

describe('version 2', () => {
  const v4Ends = ['192.0.2.1', 4711, '198.51.100.2', 443];
  const v6Ends = ['2001:db8::1', 4711, '2001:db8::2', 443];

  it.each([
    [0x11, ENDS_V4, v4Ends, false],
    [0x12, ENDS_V4, v4Ends, true],
    [0x21, ENDS_V6, v6Ends, false],
    [0x22, ENDS_V6, v6Ends, true],
  ])('family %i names both ends', (kind, ends, expected, isDatagram) => {
    const bytes = v2Header(0x21, kind, [ends]);
    expect(read(Buffer.concat([bytes, Buffer.from('GET /')])).result).toBe('ok');
    expect([header.version, header.isLocal, header.isDatagram, header.headerBytes, endsOf(header)]).toEqual([2, false, isDatagram, bytes.length, expected]);
    expect(firstVerdict(bytes)).toEqual([bytes.length, 'ok']);
  });

  it('reads mapped IPv4 as IPv4', () => {
    const mapped = Buffer.from(`${'00'.repeat(10)}ffffc0000201`, 'hex');
    expect(read(v2Header(0x21, 0x21, [mapped, mapped, Buffer.from([0, 1, 0, 2])])).result).toBe('ok');
    expect(endsOf(header)).toEqual(['192.0.2.1', 1, '192.0.2.1', 2]);
  });

  it.each([
    ['LOCAL', v2Header(0x20, 0, [])],
    ['LOCAL with a family and rubbish, which are to be ignored', v2Header(0x20, 0xff, [Buffer.alloc(7, 0xff)])],
    ['UNSPEC', v2Header(0x21, 0, [])],
    ['UNSPEC with additions', v2Header(0x21, 0, [tlv(0x05, 'id')])],
    ['a UNIX socket', v2Header(0x21, 0x31, [Buffer.alloc(216, '/')])],
    ['a UNIX datagram socket', v2Header(0x21, 0x32, [Buffer.alloc(216)])],
  ])('%s names nobody', (_, bytes) => {
    expect([read(bytes).result, header.isLocal, header.headerBytes, endsOf(header)]).toEqual(['ok', true, bytes.length, ['', 0, '', 0]]);
  });

  it('takes the additions, unknown ones passed over', () => {
    const ssl = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), tlv(0x21, 'TLSv1.3'), tlv(0x22, 'a.example')]);
    const bytes = v2Header(0x21, 0x11, [ENDS_V4, tlv(0x01, 'h2'), tlv(0x02, 'a.example'), tlv(0x04, '\0\0\0'), tlv(0x04, ''), tlv(0x05, 'id-1'), tlv(0x20, ssl), tlv(0x30, 'blue'), tlv(0xe0, 'ours')]);
    expect(read(bytes).result).toBe('ok');
    expect([header.alpn, header.authority, header.uniqueId, header.ssl, header.netns].map(String)).toEqual(['h2', 'a.example', 'id-1', ssl.toString(), 'blue']);
    expect(header.isChecked).toBe(false);
    read('PROXY UNKNOWN\r\n');
    expect([header.alpn, header.authority, header.uniqueId, header.ssl, header.netns]).toEqual([null, null, null, null, null]);
  });

  it.each([
    ['an empty line before a request', '\r\nGET', 3, 'none'],
    ['two empty lines', '\r\n\r\n\r', 5, 'none'],
    ['another last word', '\r\n\r\n\0\r\nQUIT\r', 12, 'none'],
    ['version 1 in its place', `${SIGNATURE}\x11`, 13, 'bad'],
    ['an unknown command', `${SIGNATURE}\x22`, 13, 'bad'],
    ['an unknown family', `${SIGNATURE}\x21\x41`, 14, 'bad'],
    ['an unknown transport', `${SIGNATURE}\x21\x13`, 14, 'bad'],
    ['a family without transport', `${SIGNATURE}\x21\x10`, 14, 'bad'],
    ['a transport without family', `${SIGNATURE}\x21\x01`, 14, 'bad'],
    ['a length below the addresses', `${SIGNATURE}\x21\x11\0\x0b`, 16, 'bad'],
    ['a length beyond the limit', `${SIGNATURE}\x20\0\xff\xff`, 16, 'bad'],
  ])('%s is told at its byte', (_, text, at, expected) => {
    expect(firstVerdict(text)).toEqual([at, expected]);
  });

  it.each([
    ['one that overruns', [tlv(0xe0, 'abc').subarray(0, 5)]],
    ['bytes that are none', [Buffer.from([1, 0])]],
    ['ALPN twice', [tlv(0x01, 'h2'), tlv(0x01, 'h2')]],
    ['an empty ALPN', [tlv(0x01, '')]],
    ['an empty authority', [tlv(0x02, '')]],
    ['a long unique id', [tlv(0x05, 'x'.repeat(129))]],
    ['a short checksum', [tlv(0x03, 'abc')]],
    ['a wrong checksum', [tlv(0x03, 'abcd')]],
    ['TLS without a verdict', [tlv(0x20, '\x01\0\0')]],
    ['TLS whose parts overrun', [tlv(0x20, '\x01\0\0\0\0\x21\0\x09x')]],
    ['too many', Array.from({ length: 65 }, () => tlv(0x04, ''))],
  ])('additions: %s: bad, once whole', (_, additions) => {
    const bytes = v2Header(0x21, 0x11, [ENDS_V4, ...additions]);
    expect(firstVerdict(bytes)).toEqual([bytes.length, 'bad']);
  });

  it('is read up to its limit, and no further', () => {
    const full = v2Header(0x21, 0, [tlv(0xe0, 'x'.repeat(V2_BYTES_MAX - 16 - 3))]);
    expect([full.length, read(full).result]).toEqual([V2_BYTES_MAX, 'ok']);
    expect(read(v2Header(0x21, 0, [tlv(0xe0, 'x'.repeat(V2_BYTES_MAX - 16 - 2))])).result).toBe('bad');
  });
});

const address = fc.oneof(fc.ipV4(), fc.ipV6());
const port = fc.nat({ max: 65535 });
const ends = fc.record<ProxyEnds>({ sourceAddress: address, sourcePort: port, destinationAddress: address, destinationPort: port });
const extras: fc.Arbitrary<ProxyExtras> = fc.record(
  { authority: fc.domain(), alpn: fc.constantFrom('h2', 'http/1.1', 'x'), uniqueId: fc.uint8Array({ minLength: 0, maxLength: 128 }), hasChecksum: fc.boolean() },
  { requiredKeys: [] },
);

/** In one spelling; a mixed pair comes back as it was, since mapped IPv4 is IPv4. */
function plain(text: string): string {
  read(`PROXY TCP${text.includes(':') ? 6 : 4} ${text} ${text} 1 2\r\n`);
  return header.sourceAddress;
}

describe('what is built', () => {
  it('is read again as it was said, in both versions, between other bytes', () => {
    fc.assert(
      fc.property(ends, extras, fc.constantFrom<'v1' | 'v2'>('v1', 'v2'), fc.uint8Array({ maxLength: 20 }), (from, more, version, around) => {
        const built = buildProxyHeader(version, from, more);
        const bytes = Buffer.concat([around, built, around]);
        const expected = [plain(from.sourceAddress), from.sourcePort, plain(from.destinationAddress), from.destinationPort];
        expect(parseProxyHeader(bytes, around.length, bytes.length, header)).toBe('ok');
        expect([header.headerBytes, header.isLocal, endsOf(header)]).toEqual([built.length, false, expected]);
        if (version === 'v1') return;
        expect([header.alpn?.toString(), header.authority?.toString(), header.uniqueId === null ? undefined : [...header.uniqueId], header.isChecked]).toEqual([more.alpn, more.authority, more.uniqueId === undefined ? undefined : [...more.uniqueId], more.hasChecksum ?? false]);
      }),
      { numRuns: 400 },
    );
  });

  it('is incomplete at every byte but the last', () => {
    fc.assert(
      fc.property(ends, extras, fc.constantFrom<'v1' | 'v2'>('v1', 'v2'), (from, more, version) => {
        const built = buildProxyHeader(version, from, more);
        expect(firstVerdict(built)).toEqual([built.length, 'ok']);
      }),
      { numRuns: 150 },
    );
  });

  it('with a checksum is not held to be right if a byte of it was changed', () => {
    fc.assert(
      fc.property(ends, extras, fc.nat(), fc.integer({ min: 1, max: 255 }), (from, more, at, change) => {
        const built = buildProxyHeader('v2', from, { ...more, hasChecksum: true });
        // A LOCAL header is dropped unread, so the command has to stay.
        const index = at % built.length;
        fc.pre(index !== 12);
        built[index]! ^= change;
        // The change may have hidden the checksum itself.
        expect(read(built).result === 'ok' && header.isChecked).toBe(false);
      }),
      { numRuns: 400 },
    );
  });

  it('names nobody for a probe', () => {
    for (const version of ['v1', 'v2'] as const) {
      const built = buildProxyHeader(version, null);
      expect([read(built).result, header.isLocal, header.headerBytes]).toEqual(['ok', true, built.length]);
    }
    expect(buildProxyHeader('v1', null).toString()).toBe('PROXY UNKNOWN\r\n');
    expect([...buildProxyHeader('v2', null).subarray(12)]).toEqual([0x20, 0, 0, 0]);
  });

  it('shortens mapped addresses and drops zones', () => {
    const from = { sourceAddress: '::ffff:192.0.2.1', sourcePort: 1, destinationAddress: '::ffff:198.51.100.2', destinationPort: 2 };
    expect(buildProxyHeader('v1', from).toString()).toBe('PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n');
    expect(buildProxyHeader('v1', { ...from, destinationAddress: 'fe80::2%eth0' }).toString()).toBe('PROXY TCP6 ::ffff:192.0.2.1 fe80::2 1 2\r\n');
  });
});

describe('any bytes', () => {
  const piece = fc.constantFrom('PROXY ', SIGNATURE, 'TCP4 ', 'TCP6 ', 'UNKNOWN', ' ', '1.2.3.4', '::1', '80', '\r\n', '\x21\x11', '\x20\x00', '\x00\x0c', '\x00', '\x03\x00\x04abcd', 'x');

  it('keep their first verdict whatever follows, and claim no more than there is', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ unit: 'binary-ascii', maxLength: 4 })), { maxLength: 20 }), (pieces) => {
        const bytes = Buffer.from(pieces.join(''), 'latin1');
        const [at, result] = firstVerdict(bytes);
        for (let end = at; end <= bytes.length; end++) expect(parseProxyHeader(bytes, 0, end, header)).toBe(result);
        if (result === 'ok') expect(header.headerBytes).toBe(at);
      }),
      { numRuns: 400 },
    );
  });
});
