/** ClientHellos: what is read of real and made ones, however they are spread, and what is refused and when. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { ClientHello, HELLO_BYTES_MAX } from '../../../src/data-plane/parse/client-hello.ts';
import { HELLO_RECORDS_BYTES_MAX, HelloRecords, type HelloResult } from '../../../src/data-plane/parse/hello-records.ts';
import { alpnExtension, extension, helloMessage, inRecords, messageOf, recordedHellos, serverNameExtension, u16, vector } from '../../support/client-hellos.ts';

interface Reading {
  readonly result: HelloResult;
  readonly name: string;
  readonly isNameInvalid: boolean;
  readonly protocols: readonly string[];
}

/** One for all: what a hello leaves in it must not show in the next. */
const hello = new ClientHello();

/** In reads that end at `edges`, each between other bytes. Stops at the first verdict; `bytes` are how many it took. */
function feed(input: Buffer, edges: readonly number[] = []): Reading & { bytes: number } {
  const records = new HelloRecords();
  let at = 0;
  let result: HelloResult = 'more';
  for (const edge of [...edges, input.length]) {
    const piece = Buffer.concat([Buffer.from('xx'), input.subarray(at, edge), Buffer.from('yyy')]);
    const before = Buffer.from(piece);
    result = records.read(piece, 2, piece.length - 3, hello);
    expect(piece.equals(before)).toBe(true);
    at = edge;
    if (result !== 'more') break;
  }
  return { result, name: hello.serverName, isNameInvalid: hello.isNameInvalid, protocols: [...hello.protocols], bytes: at };
}

const everyByte = (input: Buffer): number[] => Array.from({ length: input.length }, (_, i) => i + 1);

function reading(input: Buffer): [HelloResult, string, string] {
  const { result, name, protocols } = feed(input);
  return [result, name, protocols.join()];
}

describe('recorded hellos', () => {
  const expected: Record<string, [string, string]> = {
    'chromium-156': ['a.example.com', 'h2,http/1.1'],
    'curl-7.88': ['a.example.com', 'h2,http/1.1'],
    'node-20': ['a.example.com', ''],
    'node-26-post-quantum': ['a.example.com', 'h2,http/1.1'],
    'openssl-3.0': ['a.example.com', 'h2,http/1.1'],
    'openssl-3.0-tls-1.2-no-name': ['', ''],
  };

  it('are all held against what was asked for', () => {
    expect(recordedHellos.map(({ name }) => name).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(recordedHellos)('$name: whole, in every split into two, byte by byte, and with what follows', ({ name, bytes }) => {
    const whole = ['ok', ...expected[name]!];
    expect(reading(bytes)).toEqual(whole);
    for (let edge = 1; edge < bytes.length; edge++) {
      const { result, name: server, protocols } = feed(bytes, [edge]);
      expect([edge, result, server, protocols.join()]).toEqual([edge, ...whole]);
    }
    const slow = feed(bytes, everyByte(bytes));
    expect([slow.result, slow.name, slow.protocols.join(), slow.bytes]).toEqual([...whole, bytes.length]);
    expect(reading(Buffer.concat([bytes, Buffer.from('\x14\x03\x03\0\x01\x01early')]))).toEqual(whole);
  });

  it.each(recordedHellos)('$name: in records of any lengths and reads of any', ({ name, bytes }) => {
    const message = messageOf(bytes);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 12 }), fc.array(fc.nat(), { maxLength: 8 }), fc.nat({ max: 255 }), (lengths, cuts, minorVersion) => {
        const input = inRecords(message, lengths, minorVersion);
        fc.pre(input.length <= HELLO_RECORDS_BYTES_MAX);
        const edges = [...new Set(cuts.map((cut) => cut % input.length))].sort((a, b) => a - b);
        const { result, name: server, protocols } = feed(input, edges);
        expect([result, server, protocols.join()]).toEqual(['ok', ...expected[name]!]);
      }),
      { numRuns: 100 },
    );
    for (let first = 1; first < message.length; first += 3) expect(reading(inRecords(message, [first, message.length]))).toEqual(['ok', ...expected[name]!]);
  });
});

describe('names', () => {
  const read = (...names: string[]): [string, boolean] => {
    const { result, name, isNameInvalid } = feed(inRecords(helloMessage([serverNameExtension(...names)])));
    expect(result).toBe('ok');
    return [name, isNameInvalid];
  };

  it.each([
    ['a.example.com', 'a.example.com'],
    ['A.Example.COM', 'a.example.com'],
    ['a.example.com.', 'a.example.com'],
    ['localhost', 'localhost'],
    ['_x.a-b.example', '_x.a-b.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['192.0.2.1', '192.0.2.1'],
    [`${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ])('%s is %s', (sent, expected) => {
    expect(read(sent)).toEqual([expected, false]);
  });

  it.each(['.', '..', 'a..b', '.a', 'a..', 'a b', 'a\0.example.com', 'a/b', '*.example.com', 'a.example.com:443', '[::1]', 'b\xfccher.example', 'a@b', '{x}', `${'a'.repeat(64)}.example`, `${'a.'.repeat(127)}b`])('%j cannot be one', (sent) => {
    expect(read(sent)).toEqual(['', true]);
  });

  it('are passed over if of another type, and the host name found behind', () => {
    const other = Buffer.concat([Buffer.from([9]), vector(2, 'x')]);
    expect(reading(inRecords(helloMessage([extension(0, vector(2, other, Buffer.from([0]), vector(2, 'b.example')))])))).toEqual(['ok', 'b.example', '']);
    expect(reading(inRecords(helloMessage([extension(0, vector(2, other))])))).toEqual(['ok', '', '']);
  });

  it('are the outer ones, with Encrypted ClientHello', () => {
    const inner = serverNameExtension('secret.example');
    expect(reading(inRecords(helloMessage([extension(0xfe0d, Buffer.concat([Buffer.from([0]), inner])), serverNameExtension('public.example')])))).toEqual(['ok', 'public.example', '']);
  });

  it('and one that came before is forgotten', () => {
    read('a.example.com');
    expect(reading(inRecords(helloMessage(null)))).toEqual(['ok', '', '']);
  });
});

describe('protocols', () => {
  it('come in the order of the client, GREASE left out wherever it stands', () => {
    const grease = [extension(0x1a1a, Buffer.alloc(0)), alpnExtension('\x0a\x0a', 'h2', '\xfa\xfa', 'http/1.1', '\x0a\x1a'), serverNameExtension('a.example'), extension(0xfafa, Buffer.from([0]))];
    expect(reading(inRecords(helloMessage(grease, { suites: Buffer.from([0x2a, 0x2a, 0x13, 0x01]) })))).toEqual(['ok', 'a.example', 'h2,http/1.1,\x0a\x1a']);
  });

  it('are looked at up to a limit', () => {
    expect(feed(inRecords(helloMessage([alpnExtension(...Array.from({ length: 200 }, (_, i) => `p${i}`))]))).protocols).toHaveLength(32);
  });
});

describe('what is no TLS', () => {
  it.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 1],
    ['an SSLv2 hello', Buffer.from([0x80, 0x2e, 0x01, 0x03, 0x01]), 1],
    ['an SSLv2 hello with a long header', Buffer.from([0x00, 0x2e, 0x00, 0x01]), 1],
    ['a PROXY header', Buffer.from('PROXY TCP4 '), 1],
    ['an alert', Buffer.from([21, 3, 3, 0, 2, 2, 40]), 1],
    ['application bytes', Buffer.from([23, 3, 3, 0, 2, 2, 40]), 1],
    ['another major version', Buffer.from([22, 2, 3, 0, 2]), 2],
    ['DTLS', Buffer.from([22, 0xfe, 0xfd, 0, 0]), 2],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x41, 0]), 4],
  ])('%s is told after its byte %#', (_, bytes, at) => {
    expect([feed(bytes).result, feed(bytes, everyByte(bytes)).bytes]).toEqual(['none', at]);
  });
});

describe('broken hellos', () => {
  const name = serverNameExtension('a.example');

  it.each([
    ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
    ['another message', inRecords(Buffer.from([2, 0, 0, 4, 0, 0, 0, 0]))],
    ['a record of another kind in the midst', Buffer.concat([inRecords(helloMessage([name]).subarray(0, 20)), Buffer.from([21, 3, 3, 0, 2, 2, 40])])],
    ['a message beyond the limit', inRecords(Buffer.concat([Buffer.from([1, 0, 0x40, 0]), Buffer.alloc(20)]))],
    ['a message of megabytes', inRecords(Buffer.from([1, 0xff, 0xff, 0xff]))],
    ['an empty message', inRecords(Buffer.from([1, 0, 0, 0]))],
    ['a long session id', inRecords(helloMessage([name], { sessionId: Buffer.alloc(33) }))],
    ['no cipher suites', inRecords(helloMessage([name], { suites: Buffer.alloc(0) }))],
    ['a name twice', inRecords(helloMessage([name, name]))],
    ['two host names', inRecords(helloMessage([serverNameExtension('a.example', 'b.example')]))],
    ['an empty list of names', inRecords(helloMessage([extension(0, vector(2))]))],
    ['an empty name', inRecords(helloMessage([serverNameExtension('')]))],
    ['an empty extension for the name', inRecords(helloMessage([extension(0, Buffer.alloc(0))]))],
    ['a name that overruns its list', inRecords(helloMessage([extension(0, vector(2, Buffer.from([0]), u16(9), 'abc'))]))],
    ['a list of names that ends early', inRecords(helloMessage([extension(0, Buffer.concat([vector(2, Buffer.from([0]), vector(2, 'a')), Buffer.from([0])]))]))],
    ['protocols twice', inRecords(helloMessage([alpnExtension('h2'), alpnExtension('h2')]))],
    ['no protocols', inRecords(helloMessage([alpnExtension()]))],
    ['an empty protocol', inRecords(helloMessage([alpnExtension('h2', '')]))],
    ['a protocol that overruns', inRecords(helloMessage([extension(16, vector(2, Buffer.from([9]), 'h2'))]))],
    ['an extension that overruns', inRecords(helloMessage([Buffer.concat([u16(5), u16(9), Buffer.from('abc')])]))],
    ['half an extension', inRecords(helloMessage([name, Buffer.from([0, 0, 0])]))],
    ['bytes behind the extensions', inRecords(Buffer.concat([Buffer.from([1]), vector(3, helloMessage([name]).subarray(4), 'x')]))],
  ])('%s', (_, bytes) => {
    expect(feed(bytes).result).toBe('bad');
    expect(feed(bytes, everyByte(bytes)).result).toBe('bad');
  });

  it('cut short anywhere are refused, with lengths put right around them', () => {
    const body = helloMessage([name, alpnExtension('h2')]).subarray(4);
    for (let length = 0; length < body.length; length++) {
      const result = feed(inRecords(Buffer.concat([Buffer.from([1]), vector(3, body.subarray(0, length))]))).result;
      // Right behind the compression methods a hello without extensions ends.
      expect([length, result]).toEqual([length, length === 2 + 32 + 33 + 6 + 2 ? 'ok' : 'bad']);
    }
  });
});

describe('limits', () => {
  const padded = (bytes: number): Buffer => {
    const bare = helloMessage([serverNameExtension('a.example'), extension(21, Buffer.alloc(0))]).length;
    return helloMessage([serverNameExtension('a.example'), extension(21, Buffer.alloc(bytes - bare))]);
  };

  it('a hello may have 16 KiB', () => {
    expect(reading(inRecords(padded(HELLO_BYTES_MAX)))).toEqual(['ok', 'a.example', '']);
    expect(reading(inRecords(padded(HELLO_BYTES_MAX), [1000]))).toEqual(['ok', 'a.example', '']);
    expect(feed(inRecords(padded(HELLO_BYTES_MAX + 1), [1000])).result).toBe('bad');
  });

  it('with the records around it 32 KiB', () => {
    expect(reading(inRecords(padded(5000), [1]))).toEqual(['ok', 'a.example', '']);
    const input = inRecords(padded(6000), [1]);
    const { result, bytes } = feed(input, everyByte(input));
    expect(result).toBe('bad');
    // The header of the record that is too many is read yet.
    expect(bytes).toBeLessThanOrEqual(HELLO_RECORDS_BYTES_MAX + 5);
  });
});

describe('any bytes', () => {
  it('come to the same end in any pieces', () => {
    const base = fc.constantFrom(...recordedHellos.map(({ bytes }) => bytes));
    fc.assert(
      fc.property(base, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 6 }), (bytes, changes, cuts) => {
        const input = Buffer.from(bytes);
        // Most of what can go wrong stands at the front.
        for (const [at, value] of changes) input[at % Math.min(input.length, 1 + (at % 97) * 20)] = value;
        const edges = [...new Set(cuts.map((cut) => cut % input.length))].sort((a, b) => a - b);
        const { bytes: _whole, ...whole } = feed(input);
        const { bytes: _pieces, ...pieces } = feed(input, edges);
        expect(pieces.result).toBe(whole.result);
        if (whole.result === 'ok') expect(pieces).toEqual(whole);
      }),
      { numRuns: 400 },
    );
  });
});
