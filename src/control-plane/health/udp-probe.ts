/**
 * `udp`: sends one datagram. With `expect`, passes when an answer holds it, and
 * silence fails at the time-out. Without, any answer passes, and so does
 * silence: the backend fails only when its machine refuses the datagram (ICMP
 * port unreachable), as with nginx's `health_check udp`. Silence is believed
 * after 200 ms, in which a refusal of the same data centre has long come; one
 * that a firewall swallows, or that the kernel rations, is not seen. So a
 * protocol that answers should be given an `expect`.
 */
import { z } from 'zod';
import { byteText, bytesOf } from './byte-text.ts';
import { exchange } from './datagram-exchange.ts';
import type { ProbeDefinition } from './probe.ts';

const SILENCE_MS = 200;

const options = z.strictObject({
  send: byteText.default('').describe('The datagram: text, or `hex:` and digits. Absent: an empty one.'),
  expect: byteText.default('').describe('Text, or `hex:` and digits, that an answer must hold. Absent: any answer passes, and silence too.'),
});

export const udpProbe: ProbeDefinition<z.infer<typeof options>> = {
  name: 'udp',
  summary: 'Passes when a datagram is answered as expected or, where nothing is, not refused.',
  options,
  probe: (target, { send, expect }, context) => {
    const wanted = bytesOf(expect);
    return exchange(target, context, {
      bytes: bytesOf(send),
      judge: (datagram) => (datagram.includes(wanted) ? { passed: true } : null),
      silenceMs: expect === '' ? SILENCE_MS : null,
    });
  },
};
