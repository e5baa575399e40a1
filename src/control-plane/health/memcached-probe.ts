/**
 * `memcached`: passes when the server tells its version over the text protocol,
 * after a login where a user is given (`memcached -Y`: the login is a `set` of
 * any key). Servers that speak the binary protocol alone, with SASL, cannot be
 * probed so; the type `tcp` can.
 */
import { z } from 'zod';
import type { ProbeDefinition } from './probe.ts';
import { talk } from './probe-talk.ts';
import { secretOption } from './secret-option.ts';
import { BadAnswer, failed, line, read, say, type Talk } from './talk-script.ts';

const LINE_BYTES_MAX = 1024;
/** Separate user and password, or end the line. */
const NO_SPACES = /^[^\s]*$/;

const options = z
  .strictObject({
    user: z.string().regex(NO_SPACES, { error: 'holds no spaces' }).default('').describe("User of the text protocol's login (memcached -Y). Absent: no login."),
    password: secretOption('Password of the user.'),
  })
  .refine(({ user, password }) => (user === '') === (password === ''), { path: ['user'], error: 'user and password need each other' })
  .refine(({ password }) => NO_SPACES.test(password), { path: ['password'], error: 'holds no spaces' });

type Options = z.infer<typeof options>;

export const memcachedProbe: ProbeDefinition<Options> = {
  name: 'memcached',
  summary: 'Passes when a memcached server tells its version.',
  options,
  probe: (target, wanted, context) => talk(target, context, memcachedScript(wanted), { secrets: [wanted.password] }),
};

export function* memcachedScript({ user, password }: Options): Talk {
  if (user !== '') {
    const login = `${user} ${password}`;
    yield* say(`set login 0 0 ${Buffer.byteLength(login)}\r\n${login}\r\n`);
    const answer = yield* readLine();
    if (/authentication failure/.test(answer)) return failed('user or password is wrong');
    // Not repeated: a server that takes no login may well repeat what it was sent.
    if (answer !== 'STORED') return failed('refused the login');
  }
  yield* say('version\r\n');
  const answer = yield* readLine();
  if (answer.startsWith('VERSION ')) return { passed: true };
  if (answer === 'CLIENT_ERROR unauthenticated') return failed('asks for a login');
  if (/^(ERROR|CLIENT_ERROR|SERVER_ERROR)( |$)/.test(answer)) return failed('answered', answer);
  throw new BadAnswer('malformed answer: no version');
}

function* readLine(): Talk<string> {
  return (yield* read(line(LINE_BYTES_MAX))).toString('latin1').replace(/\r?\n$/, '');
}
