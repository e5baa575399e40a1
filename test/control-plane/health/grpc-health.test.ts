/** Every answer to a health check, and every input that is none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCheckResponse, whyNotServing } from '../../../src/control-plane/health/grpc-health.ts';

const PREFIX_BYTES = 5;

function framed(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

describe('the answer', () => {
  it('has unknown fields of any kind skipped, and of a repeated one the last counts', () => {
    const unknown = [0x10, 0x96, 0x01, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x22, 3, 7, 7, 7, 0x2d, 1, 2, 3, 4];
    expect(readCheckResponse(framed(Buffer.from([0x08, 2, ...unknown, 0x08, 1])))).toBe(1);
    expect(readCheckResponse(framed(Buffer.from(unknown)))).toBe(0);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a prefix cut short', Buffer.from([0, 0, 0, 0])],
    ['a compressed message', framed(Buffer.from([8, 1]), 1)],
    ['less than its length', framed(Buffer.from([8, 1])).subarray(0, 6)],
    ['more than its length', Buffer.concat([framed(Buffer.from([8, 1])), Buffer.from([0])])],
    ['two messages', Buffer.concat([framed(Buffer.from([8, 1])), framed(Buffer.from([8, 1]))])],
    ['a field without its value', framed(Buffer.from([8]))],
    ['a number that never ends', framed(Buffer.alloc(12, 0xff))],
    ['the field number 0', framed(Buffer.from([0, 1]))],
    ['a group', framed(Buffer.from([0x0b, 0x0c]))],
    ['a length beyond the end', framed(Buffer.from([0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]))],
    ['a fixed field cut short', framed(Buffer.from([0x0d, 1, 2]))],
  ])('that is %s is malformed', (_what, body) => {
    expect(readCheckResponse(body)).toBeNull();
  });

  it('never makes it throw, and gives a number or nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, isFramed) => {
        const status = readCheckResponse(isFramed ? framed(bytes) : Buffer.from(bytes));
        expect(status === null || Number.isInteger(status)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the reason', () => {
  const serving = framed(Buffer.from([8, 1]));

  it.each([
    [{ httpStatus: 200, code: '0', message: undefined, body: serving }, '', null],
    [{ httpStatus: 200, code: '0', message: undefined, body: framed(Buffer.from([8, 9])) }, '', 'serving status 9'],
    [{ httpStatus: 200, code: '0', message: undefined, body: Buffer.alloc(0) }, '', 'malformed answer'],
    [{ httpStatus: 200, code: '14', message: 'try%20again%0A%00', body: Buffer.alloc(0) }, '', 'UNAVAILABLE: try again'],
    [{ httpStatus: 200, code: '14', message: '100%', body: Buffer.alloc(0) }, '', 'UNAVAILABLE: 100%'],
    [{ httpStatus: 200, code: '5', message: 'x', body: Buffer.alloc(0) }, '', 'NOT_FOUND'],
    [{ httpStatus: 200, code: '5', message: 'x', body: Buffer.alloc(0) }, 'shop', 'does not know the service "shop" (NOT_FOUND)'],
    [{ httpStatus: 200, code: '99', message: undefined, body: serving }, '', 'malformed grpc-status'],
    [{ httpStatus: 200, code: 'x', message: undefined, body: serving }, '', 'malformed grpc-status'],
    [{ httpStatus: 200, code: undefined, message: undefined, body: serving }, '', 'answer without grpc-status'],
    [{ httpStatus: 404, code: undefined, message: undefined, body: serving }, '', 'HTTP status 404'],
  ])('of %j is told', (answer, service, reason) => {
    expect(whyNotServing(answer, service)).toBe(reason);
  });

  it('is one printable line of bounded length, whatever the backend says', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom('14', '14', '', '7', '77', '-1', '1e1'), (bytes, code) => {
        const message = Buffer.from(bytes).toString('latin1');
        const reason = whyNotServing({ httpStatus: 200, code, message, body: serving }, '') ?? '';
        expect(reason).toMatch(/^[^\p{Cc}]{0,121}$/u);
      }),
    );
  });
});
