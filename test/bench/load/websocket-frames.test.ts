/** Frames of the WebSocket load: RFC 6455's own examples, and every split of a stream. */
import { describe, expect, it } from 'vitest';
import { acceptFor, encodeFrame, FrameEcho } from '../../../bench/load/websocket-frames.ts';

const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

describe('frames', () => {
  it('are those of RFC 6455, section 5.7, with the binary opcode', () => {
    expect(encodeFrame(Buffer.from('Hello'), mask).toString('hex')).toBe('828537fa213d7f9f4d5158');
    expect(encodeFrame(Buffer.alloc(256), null).subarray(0, 4).toString('hex')).toBe('827e0100');
  });

  it('are accepted as RFC 6455, section 1.3 has it', () => {
    expect(acceptFor('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });
});

describe('the echo', () => {
  const payloads = [Buffer.from('short'), Buffer.alloc(128, 'w'), Buffer.alloc(0), Buffer.alloc(300, 'x')];
  const sent = Buffer.concat(payloads.map((payload) => encodeFrame(payload, mask)));
  const expected = Buffer.concat(payloads.map((payload) => encodeFrame(payload, null)));

  it('gives back each message unmasked, wherever the stream is cut', () => {
    for (let cut = 0; cut <= sent.length; cut++) {
      const echo = new FrameEcho();
      const got = [sent.subarray(0, cut), sent.subarray(cut)].flatMap((part) => echo.take(part) ?? []);
      expect(Buffer.concat(got).equals(expected), `cut at ${cut}`).toBe(true);
    }
  });

  it('refuses a frame without mask', () => {
    expect(() => new FrameEcho().take(encodeFrame(Buffer.from('x'), null))).toThrow('without mask');
  });
});
