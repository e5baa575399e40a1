/**
 * What backends answer to probes: one line of `scripts` for each probe type
 * that is a script (control-plane/health/talk-script.ts), one of `readers` for
 * what reads answers otherwise. An input is a line with the name, and the
 * answer behind it. Whatever the answer is, a script ends the same way however
 * it is cut, says the same, ends at all once the backend has closed, and shows
 * neither the secret nor more than a line; a reader throws BadAnswer or nothing.
 *
 * A new type adds its lines, and what its protocol is made of to `tokens`.
 */
import { cassandraScript } from '../../../src/control-plane/health/cassandra-probe.ts';
import { buildQuery, parseQuestion, readResponseCode } from '../../../src/control-plane/health/dns-query.ts';
import { whyNotServing } from '../../../src/control-plane/health/grpc-health.ts';
import { memcachedScript } from '../../../src/control-plane/health/memcached-probe.ts';
import { mongodbScript } from '../../../src/control-plane/health/mongodb-probe.ts';
import { MysqlTalk } from '../../../src/control-plane/health/mysql-talk.ts';
import { PostgresTalk, type PostgresWanted } from '../../../src/control-plane/health/postgres-talk.ts';
import { redisScript } from '../../../src/control-plane/health/redis-probe.ts';
import { smtpScript } from '../../../src/control-plane/health/smtp-probe.ts';
import { BadAnswer, type Talk } from '../../../src/control-plane/health/talk-script.ts';
import { tcpScript } from '../../../src/control-plane/health/tcp-probe.ts';
import { authenticate, authSuccess, cassandraError, ready, supported } from '../../support/cassandra-bytes.ts';
import { document, double, opMsg, primaryFields, text } from '../../support/mongodb-bytes.ts';
import { mysqlTokens, mysqlTranscripts } from '../../support/mysql-transcript.ts';
import { postgresTokens, postgresTranscripts } from '../../support/postgres-transcript.ts';
import { runScript, splitsOf } from '../../support/script-runs.ts';
import { demand, demandSame, type FuzzTarget } from './target.ts';

/** The password of every script that takes one. */
const SECRET = 'S3CRET';
const SPLIT_PLACES_MAX = 48;
const REASON_TEXT_MAX = 121;

const postgres: PostgresWanted = { user: 'weir', password: '', database: null, query: '', isPrimary: false, isAnyAnswerEnough: false, nonce: 'N0NCE' };

const scripts: Readonly<Record<string, () => Talk>> = {
  cassandra: () => cassandraScript({ user: '', password: '' }),
  'cassandra-login': () => cassandraScript({ user: 'weir', password: SECRET }),
  memcached: () => memcachedScript({ user: '', password: '' }),
  'memcached-login': () => memcachedScript({ user: 'weir', password: SECRET }),
  mongodb: () => mongodbScript({}),
  'mongodb-primary': () => mongodbScript({ role: 'primary' }),
  mysql: () => new MysqlTalk({ user: 'weir', password: '', database: null, query: 'select 1', isPrimary: false }).run(),
  'mysql-primary': () => new MysqlTalk({ user: 'weir', password: SECRET, database: 'shop', query: '', isPrimary: true }).run(),
  postgres: () => new PostgresTalk({ ...postgres, isAnyAnswerEnough: true }).run(),
  'postgres-primary': () => new PostgresTalk({ ...postgres, password: SECRET, query: 'select 1', isPrimary: true }).run(),
  redis: () => redisScript({ user: '', password: '' }),
  'redis-primary': () => redisScript({ user: 'weir', password: SECRET, role: 'primary' }),
  smtp: () => smtpScript({ host: 'localhost' }),
  tcp: () => tcpScript({ send: 'ping', expect: 'pong' }),
};

function latin1(...parts: readonly Buffer[]): string {
  return Buffer.concat(parts).toString('latin1');
}

const dnsQuery = buildQuery(0x5757, parseQuestion('www.example.com A')!);

/** Each returns what the answer came to, in few different texts. */
const readers: Readonly<Record<string, (answer: Buffer) => string>> = {
  dns: (answer) => readResponseCode(answer, dnsQuery) ?? 'to another query',
  grpc: (body) => whyNotServing({ httpStatus: 200, code: '0', message: undefined, body }, '')?.replace(/\d+/, 'N') ?? 'passed',
};

/** An answer that leads far into each of them. */
const seeds: Readonly<Record<string, readonly string[]>> = {
  cassandra: [latin1(supported, ready), latin1(supported, authenticate), latin1(supported, cassandraError(0x1001, 'busy'))],
  'cassandra-login': [latin1(supported, authenticate, authSuccess), latin1(supported, authenticate, cassandraError(0x0100, SECRET)), latin1(cassandraError(0x000a, `${SECRET} 4`, { version: 0x83, stream: 0 }))],
  dns: [`WW\x81\x80${dnsQuery.toString('latin1', 4)}`, `WW\x81\x83${dnsQuery.toString('latin1', 4)}\xc0\x0c`, 'WW\x81\x85\0\0\0\0\0\0\0\0'],
  grpc: ['\0\0\0\0\x02\x08\x01', '\0\0\0\0\0', '\0\0\0\0\x09\x10\x96\x01\x22\x01\x07\x08\x02\x08'],
  memcached: ['VERSION 1.6.18\r\n', 'CLIENT_ERROR unauthenticated\r\n', 'SERVER_ERROR out of memory\r\n'],
  'memcached-login': ['STORED\r\nVERSION 1\r\n', 'CLIENT_ERROR authentication failure\r\n', `ERROR ${SECRET}\r\n`],
  mongodb: [latin1(opMsg(document(primaryFields))), latin1(opMsg(document([double('ok', 0), text('errmsg', SECRET)]))), latin1(opMsg(document([double('ok', 1)])))],
  'mongodb-primary': [latin1(opMsg(document(primaryFields)))],
  mysql: mysqlTranscripts,
  'mysql-primary': mysqlTranscripts,
  postgres: postgresTranscripts,
  'postgres-primary': postgresTranscripts,
  redis: ['+PONG\r\n', '-NOAUTH x\r\n', '-ERR max number of clients reached\r\n'],
  'redis-primary': ['+OK\r\n+PONG\r\n*3\r\n$6\r\nmaster\r\n', '+OK\r\n+PONG\r\n*5\r\n$5\r\nslave\r\n', '+OK\r\n+PONG\r\n-NOPERM x\r\n$13\r\nrole:master\r\n\r\n', `+OK\r\n-ERR unknown '${SECRET}'\r\n`, '-WRONGPASS x\r\n', `-ERR unknown command AUTH ${SECRET}\r\n`],
  smtp: ['220-a\r\n220 b\r\n250-c\r\n250 d\r\n', '220 a\r\n502 b\r\n250 c\r\n', '421 busy\r\n', '220 a\r\n550 no\r\n'],
  tcp: ['ready: popong\r\n', 'pon'],
};

const tokens = [
  ...Object.keys({ ...scripts, ...readers }).map((name) => `${name}\n`),
  '\r\n', '\n', '\r', '\0', ' ', '-', '+', ':', '$', '*', '$-1\r\n', '$0\r\n', '*0\r\n', '*-1\r\n', '$6\r\nmaster\r\n', '$99999\r\n', '+OK\r\n', '+PONG\r\n', '-LOADING ', '-MASTERDOWN ', '-NOPERM ', 'role:slave',
  'VERSION ', 'STORED\r\n', 'ERROR', 'CLIENT_ERROR ', 'SERVER_ERROR ', '220 ', '220-', '250 ', '250-', '421 ', '502 ', '554 ', 'pong', 'WW', '\x81\x80', ...mysqlTokens, ...postgresTokens, SECRET, '\x1b[31m', '\xe2\x80\xa8',
  '\x84\0\0\x01', '\x01secondary\0', '\x08secondary\0\x01', '\x08arbiterOnly\0\x01', '\x08isreplicaset\0\x01', '\x08isWritablePrimary\0\x01', '\x10setVersion\0', '\x07electionId\0', '\x02\0\0\0', '\xff\xff\xff\xff',
];

function checkScript(script: () => Talk, answer: Buffer): string {
  const whole = runScript(script(), [answer], { secrets: [SECRET] });
  const closed = runScript(script(), [answer], { secrets: [SECRET], closes: true });
  for (const pieces of splitsOf(answer, SPLIT_PLACES_MAX)) {
    const run = runScript(script(), pieces, { secrets: [SECRET] });
    demandSame(run.end, whole.end, 'the end');
    demandSame(run.said, whole.said, 'what it says');
  }
  demand(closed.end !== 'waits', 'waits for a backend that has closed');
  if (whole.end !== 'waits') demandSame(closed.end, whole.end, 'the end of one that had ended');
  demand(closed.end.length <= REASON_TEXT_MAX && closed.end !== '', `a reason of ${closed.end.length} characters`);
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  demand(!/[\u0000-\u001f\u007f]/.test(closed.end), `not one line: ${closed.end}`);
  demand(!closed.end.includes(SECRET), `shows the secret: ${closed.end}`);
  // Few texts: what the backend said, and how long it was, make no new case.
  return /^(answered|greets|answers|has the role|refused hello)|\(0x/.test(whole.end) ? 'refused' : whole.end.replaceAll(/[0-9]+/g, 'N');
}

function checkReader(reader: (answer: Buffer) => string, answer: Buffer): string {
  try {
    return reader(answer);
  } catch (error) {
    demand(error instanceof BadAnswer, `throws ${String(error)}`);
    return error.message;
  }
}

export const probeAnswersTarget: FuzzTarget = {
  name: 'probe-answers',
  watched: ['/health/talk-script.ts', '/health/resp-reply.ts', '/health/dns-query.ts', '/health/bson-fields.ts', '/health/grpc-health.ts', '/health/mysql-talk.ts', '/health/mysql-messages.ts', '/health/postgres-talk.ts', '/health/postgres-messages.ts', '/health/scram.ts', ...Object.keys(scripts).map((name) => `/health/${name}-probe.ts`)],
  seeds: Object.entries(seeds).flatMap(([name, answers]) => answers.map((answer) => `${name}\n${answer}`)),
  tokens,
  bytesMax: 400,
  check(input) {
    const end = input.indexOf(0x0a);
    const name = input.toString('latin1', 0, Math.max(0, end));
    const answer = input.subarray(end + 1);
    const script = Object.hasOwn(scripts, name) ? scripts[name] : undefined;
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (script !== undefined) return `${name} ${checkScript(script, answer)}`;
    return reader === undefined ? 'none' : `${name} ${checkReader(reader, answer)}`;
  },
};
