/**
 * `smtp`: passes when a mail server greets with 220 and takes our EHLO, or
 * where it does not know that, HELO (RFC 5321 §3.2, §4.1.1.1); then QUIT. What
 * it says instead (421 too busy, 554 no service here) is the reason. Waits for
 * the greeting before it speaks, as servers that look for spam bots ask; one
 * that holds its greeting back needs a longer `timeout`.
 */
import { z } from 'zod';
import type { ProbeDefinition } from './probe.ts';
import { talk } from './probe-talk.ts';
import { tlsOption } from './tls-option.ts';
import { BadAnswer, failed, line, read, say, secure, type Talk } from './talk-script.ts';

/** RFC 5321 allows 512 bytes; real servers send more. */
const LINE_BYTES_MAX = 2048;
const QUIT = Buffer.from('QUIT\r\n');
/** The command is unknown, or may not be used: an older server, which HELO suits. */
const KNOWS_NO_EHLO = new Set([500, 501, 502, 504]);

const options = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9._:[\]-]{1,255}$/, { error: 'not a host' })
    .default('localhost')
    .describe('The name that EHLO gives.'),
  tls: tlsOption,
});

type Options = z.infer<typeof options>;

interface Reply {
  readonly code: number;
  /** Of its first line. */
  readonly text: string;
}

export const smtpProbe: ProbeDefinition<Options> = {
  name: 'smtp',
  summary: 'Passes when a mail server greets and takes EHLO or HELO.',
  options,
  probe: (target, wanted, context) => talk(target, context, smtpScript(wanted, context.startTls !== undefined)),
};

/** `isSecure`: goes on in TLS by STARTTLS (RFC 3207), or fails. */
export function* smtpScript({ host }: Pick<Options, 'host'>, isSecure = false): Talk {
  const greeting = yield* readAnswer();
  if (greeting.code !== 220) return failed(`greets with ${greeting.code}`, greeting.text, QUIT);
  yield* say(`EHLO ${host}\r\n`);
  let asked = 'EHLO';
  let answer = yield* readAnswer();
  if (KNOWS_NO_EHLO.has(answer.code)) {
    asked = 'HELO';
    yield* say(`HELO ${host}\r\n`);
    answer = yield* readAnswer();
  }
  if (isSecure && answer.code === 250) {
    yield* say('STARTTLS\r\n');
    const agreed = yield* readAnswer();
    if (agreed.code !== 220) return failed(`answers STARTTLS with ${agreed.code}`, agreed.text, QUIT);
    yield* secure();
    asked = 'EHLO in TLS';
    yield* say(`EHLO ${host}\r\n`);
    answer = yield* readAnswer();
  }
  return answer.code === 250 ? { passed: true, goodbye: QUIT } : failed(`answers ${asked} with ${answer.code}`, answer.text, QUIT);
}

/** All lines of one answer: `250-…`, and `250 …` as the last (§4.2.1). */
function* readAnswer(): Talk<Reply> {
  let first: Reply | null = null;
  while (true) {
    const text = (yield* read(line(LINE_BYTES_MAX))).toString('utf8').replace(/\r?\n$/, '');
    const match = /^([2-5][0-9]{2})(?:([ -])(.*))?$/.exec(text);
    if (match === null) throw new BadAnswer('malformed answer: not SMTP');
    const code = Number(match[1]);
    first ??= { code, text: match[3] ?? '' };
    if (code !== first.code) throw new BadAnswer('malformed answer: its lines differ in their code');
    if (match[2] !== '-') return first;
  }
}
