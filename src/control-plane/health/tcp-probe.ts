/**
 * `tcp`: passes when the backend's kernel accepts a connection and, where asked
 * for, the process behind it answers `send` with `expect`. Without these it
 * cannot see a process that accepts and then says nothing.
 *
 * `expect` may stand anywhere in what the backend says first, as with HAProxy's
 * `tcp-check expect string` and nginx's `match`: a greeting carries a version or
 * a date before the words that matter. The connection is closed as soon as it
 * is found.
 */
import { z } from 'zod';
import { byteText, bytesOf } from './byte-text.ts';
import type { ProbeDefinition } from './probe.ts';
import { talk } from './probe-talk.ts';
import { read, say, type Framing, type Talk } from './talk-script.ts';

const options = z.strictObject({
  send: byteText.default('').describe('Sent once connected: text, or `hex:` and digits. Absent: nothing.'),
  expect: byteText.default('').describe('Text, or `hex:` and digits, that the first 64 KiB of the answer must hold. Absent: an accepted connection passes.'),
});

type Options = z.infer<typeof options>;

export const tcpProbe: ProbeDefinition<Options> = {
  name: 'tcp',
  summary: 'Passes when a TCP connection is accepted and, where asked for, answered as expected.',
  options,
  probe: (target, wanted, context) => talk(target, context, tcpScript(wanted)),
};

export function* tcpScript({ send, expect }: Options): Talk {
  if (send !== '') yield* say(bytesOf(send));
  if (expect !== '') yield* read(through(bytesOf(expect)), `answer lacks ${JSON.stringify(expect)}`);
  return { passed: true };
}

/** Everything up to the end of `wanted`. What was searched is not searched again, however small the pieces are. */
function through(wanted: Buffer): Framing {
  let searched = 0;
  return (bytes) => {
    const at = bytes.indexOf(wanted, searched);
    searched = Math.max(0, bytes.length - wanted.length + 1);
    return at === -1 ? 0 : at + wanted.length;
  };
}
