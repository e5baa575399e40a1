/**
 * `redis`: passes when the server answers PING, after AUTH where a password is
 * given, and with `role: primary` only when it says that it is one: by ROLE, or
 * where the user may not ask that, by INFO. Speaks RESP2 without a HELLO, which
 * every version and relative of Redis understands.
 *
 * A replica passes without `role`, whatever its link to the primary. An answer
 * to AUTH is in no reason but by its code: servers that do not know the command
 * repeat its arguments, cut at a length of theirs where no mask would fit.
 */
import { z } from 'zod';
import type { ProbeDefinition } from './probe.ts';
import { talk } from './probe-talk.ts';
import { readReply, respCommand, type RespReply } from './resp-reply.ts';
import { secretOption } from './secret-option.ts';
import { BadAnswer, failed, say, type Talk, type TalkEnd } from './talk-script.ts';

const options = z
  .strictObject({
    user: z.string().default('').describe("User of the server's ACL. Absent: the default one."),
    password: secretOption('Password, sent with AUTH. Absent: no AUTH.'),
  })
  .refine(({ user, password }) => user === '' || password !== '', { path: ['user'], error: 'a user needs a password' });

type Options = z.infer<typeof options> & { readonly role?: 'primary' };

export const redisProbe: ProbeDefinition<Options> = {
  name: 'redis',
  summary: 'Passes when a Redis server answers PING and, where asked for, is a primary.',
  options,
  hasRoles: true,
  probe: (target, wanted, context) => talk(target, context, redisScript(wanted), { secrets: [wanted.password] }),
};

/** By the first word of an error. */
const ERRORS: Readonly<Record<string, string>> = {
  NOAUTH: 'asks for a password (NOAUTH)',
  WRONGPASS: 'user or password is wrong (WRONGPASS)',
  LOADING: 'still loads its dataset (LOADING)',
  MASTERDOWN: 'has lost its primary (MASTERDOWN)',
  BUSY: 'is held up by a script (BUSY)',
  NOPERM: 'user lacks the permission (NOPERM)',
  DENIED: 'is in protected mode (DENIED)',
};

const ROLES: Readonly<Record<string, string>> = { slave: 'is a replica', replica: 'is a replica', sentinel: 'is a sentinel' };

export function* redisScript({ user, password, role }: Options): Talk {
  if (password !== '') {
    yield* say(user === '' ? respCommand('AUTH', password) : respCommand('AUTH', user, password));
    const refused = authRefusal(yield* readReply());
    if (refused !== null) return failed(refused);
  }
  yield* say(respCommand('PING'));
  const pong = yield* readReply();
  if (pong.kind === '-') return failError(pong.text!);
  if (pong.kind !== '+' || pong.text !== 'PONG') throw new BadAnswer('malformed answer: PING is not answered with PONG');
  return role === 'primary' ? yield* askRole() : { passed: true };
}

function* askRole(): Talk<TalkEnd> {
  yield* say(respCommand('ROLE'));
  const answer = yield* readReply();
  if (answer.kind === '-') return /^(NOPERM|ERR unknown command)/.test(answer.text!) ? yield* askReplication() : failError(answer.text!);
  // Of the array only the first element matters: what follows is offsets and replicas.
  if (answer.kind !== '*' || Number(answer.text) < 1) throw new BadAnswer('malformed answer: ROLE is not answered with a list');
  const role = yield* readReply();
  if (role.kind !== '$' || role.text === null) throw new BadAnswer('malformed answer: ROLE is not answered with a role');
  return judgeRole(role.text);
}

function* askReplication(): Talk<TalkEnd> {
  yield* say(respCommand('INFO', 'replication'));
  const answer = yield* readReply();
  if (answer.kind === '-') return failError(answer.text!);
  const role = /^role:(\S+)\r?$/m.exec(answer.text ?? '')?.[1];
  if (answer.kind !== '$' || role === undefined) throw new BadAnswer('malformed answer: INFO tells no role');
  return judgeRole(role);
}

function judgeRole(role: string): TalkEnd {
  return role === 'master' ? { passed: true } : ROLES[role] === undefined ? failed('has the role', role) : failed(ROLES[role]);
}

/** null: logged in. */
function authRefusal({ kind, text }: RespReply): string | null {
  if (kind === '+' && text === 'OK') return null;
  if (kind !== '-') throw new BadAnswer('malformed answer: AUTH is not answered with OK');
  const known = ERRORS[codeOf(text!)];
  if (known !== undefined) return known;
  if (/no password is set|without any password configured/.test(text!)) return 'has no password, and was sent one';
  return /invalid password/.test(text!) ? 'password is wrong' : 'refused AUTH';
}

function failError(text: string): TalkEnd {
  const known = ERRORS[codeOf(text)];
  return known === undefined ? failed('answered', text) : failed(known);
}

function codeOf(text: string): string {
  return text.split(' ', 1)[0]!;
}
