import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisProbe, redisScript } from '../../../src/control-plane/health/redis-probe.ts';
import { outcomeOf } from '../../support/probe-once.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { runOverSplits } from '../../support/script-runs.ts';

const PASSWORD = 's3cret-word';
const plain = { user: '', password: '' };
const login = { user: '', password: PASSWORD };
const primary = { ...plain, role: 'primary' } as const;
const noperm = "-NOPERM User default has no permissions to run the 'role' command\r\n";

const endOf = (options: Parameters<typeof redisScript>[0], answer: string): string => runOverSplits(() => redisScript(options), Buffer.from(answer), { secrets: [PASSWORD] }).end;

describe('an answer, in any pieces', () => {
  it.each([
    { options: plain, answer: '+PONG\r\n', end: 'passed' },
    { options: plain, answer: '+PON', end: 'waits' },
    { options: plain, answer: '-NOAUTH Authentication required.\r\n', end: 'asks for a password (NOAUTH)' },
    { options: plain, answer: '-LOADING Redis is loading the dataset in memory\r\n', end: 'still loads its dataset (LOADING)' },
    { options: plain, answer: "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n", end: 'has lost its primary (MASTERDOWN)' },
    { options: plain, answer: '-BUSY Redis is busy running a script.\r\n', end: 'is held up by a script (BUSY)' },
    { options: plain, answer: "-NOPERM this user has no permissions to run the 'ping' command\r\n", end: 'user lacks the permission (NOPERM)' },
    { options: plain, answer: '-DENIED Redis is running in protected mode because …\r\n', end: 'is in protected mode (DENIED)' },
    { options: plain, answer: '-ERR max number of clients reached\r\n', end: 'answered ERR max number of clients reached' },
    { options: plain, answer: '+OK\r\n', end: 'malformed answer: PING is not answered with PONG' },
    { options: plain, answer: '$4\r\nPONG\r\n', end: 'malformed answer: PING is not answered with PONG' },
    { options: plain, answer: '+PONG\n', end: 'malformed answer: not the protocol of Redis' },
    { options: plain, answer: 'HTTP/1.1 400 Bad Request\r\n', end: 'malformed answer: not the protocol of Redis' },
    { options: plain, answer: '$999999\r\n', end: 'malformed answer: a text of 999999 bytes' },
    { options: plain, answer: '$-2\r\n', end: 'malformed answer: not the protocol of Redis' },
    { options: plain, answer: `+${'x'.repeat(5000)}`, end: 'malformed answer: a line has no end' },
    { options: login, answer: '+OK\r\n+PONG\r\n', end: 'passed' },
    { options: login, answer: '-WRONGPASS invalid username-password pair or user is disabled.\r\n', end: 'user or password is wrong (WRONGPASS)' },
    { options: login, answer: '-ERR invalid password\r\n', end: 'password is wrong' },
    { options: login, answer: '-ERR Client sent AUTH, but no password is set\r\n', end: 'has no password, and was sent one' },
    { options: login, answer: `-ERR unknown command 'AUTH', with args beginning with: '${PASSWORD}'\r\n`, end: 'refused AUTH' },
    { options: login, answer: '+FINE\r\n', end: 'malformed answer: AUTH is not answered with OK' },
    { options: login, answer: `+OK\r\n-ERR said ${PASSWORD}\r\n`, end: 'answered ERR said ***' },
    { options: primary, answer: '+PONG\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n', end: 'passed' },
    { options: primary, answer: '+PONG\r\n*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n', end: 'is a replica' },
    { options: primary, answer: '+PONG\r\n*2\r\n$8\r\nsentinel\r\n', end: 'is a sentinel' },
    { options: primary, answer: '+PONG\r\n*1\r\n$5\r\nother\r\n', end: 'has the role other' },
    { options: primary, answer: '+PONG\r\n*0\r\n', end: 'malformed answer: ROLE is not answered with a list' },
    { options: primary, answer: '+PONG\r\n*1\r\n:1\r\n', end: 'malformed answer: ROLE is not answered with a role' },
    { options: primary, answer: '+PONG\r\n-LOADING …\r\n', end: 'still loads its dataset (LOADING)' },
    { options: primary, answer: `+PONG\r\n${noperm}$28\r\n# Replication\r\nrole:master\r\n\r\n`, end: 'passed' },
    { options: primary, answer: '+PONG\r\n-ERR unknown command `ROLE`\r\n$10\r\nrole:slave\r\n', end: 'is a replica' },
    { options: primary, answer: `+PONG\r\n${noperm}-NOPERM …\r\n`, end: 'user lacks the permission (NOPERM)' },
    { options: primary, answer: `+PONG\r\n${noperm}$-1\r\n`, end: 'malformed answer: INFO tells no role' },
    { options: primary, answer: `+PONG\r\n${noperm}$3\r\nabcd\r\n`, end: 'malformed answer: not the protocol of Redis' },
  ])('$answer: $end', ({ options, answer, end }) => {
    expect(endOf(options, answer)).toBe(end);
  });

  it('comes to the same for anything at all', () => {
    const words = fc.constantFrom('+PONG\r\n', '+OK\r\n', '*3\r\n', '$6\r\nmaster\r\n', ':', '$', '-NOAUTH', '-NOPERM x\r\n', '\r\n', '-1', '99', '\0');
    fc.assert(fc.property(fc.array(fc.oneof(words, fc.string({ maxLength: 5 })), { maxLength: 8 }), fc.constantFrom(plain, login, primary), (parts, options) => void endOf(options, parts.join(''))));
  });
});

it('sends what it is to send, AUTH with a user or without', () => {
  const said = (options: Parameters<typeof redisScript>[0], answer: string): string => runOverSplits(() => redisScript(options), Buffer.from(answer)).said;
  expect(said({ user: 'weir', password: 'pâss' }, '+OK\r\n')).toBe('*3\r\n$4\r\nAUTH\r\n$4\r\nweir\r\n$5\r\np\xc3\xa2ss\r\n*1\r\n$4\r\nPING\r\n');
  expect(said(login, '')).toBe(`*2\r\n$4\r\nAUTH\r\n$11\r\n${PASSWORD}\r\n`);
  expect(said({ ...primary }, '+PONG\r\n')).toBe('*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nROLE\r\n');
  expect(redisProbe.options.safeParse({ user: 'weir' }).success).toBe(false);
});

describe('a real server', () => {
  let redis: RedisServer;
  let replica: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
    replica = await RedisServer.start({ config: [`replicaof 127.0.0.1 ${redis.port}`] });
  });
  afterAll(() => Promise.all([redis.stop(), replica.stop()]));

  it('and its replica pass, and the primary alone where that is asked for, until it moves', async () => {
    expect(await outcomeOf(redisProbe, redis.port)).toBe('passed');
    expect(await outcomeOf(redisProbe, replica.port)).toBe('passed');
    expect(await outcomeOf(redisProbe, redis.port, { role: 'primary' })).toBe('passed');
    expect(await outcomeOf(redisProbe, replica.port, { role: 'primary' })).toBe('is a replica');
    await replica.client().call('REPLICAOF', 'NO', 'ONE');
    expect(await outcomeOf(redisProbe, replica.port, { role: 'primary' })).toBe('passed');
    await redis.client().call('REPLICAOF', '127.0.0.1', String(replica.port));
    expect(await outcomeOf(redisProbe, redis.port, { role: 'primary' })).toBe('is a replica');
    await redis.client().call('REPLICAOF', 'NO', 'ONE');
  });

  it('that serves nothing stale says that it has lost its primary', async () => {
    await replica.client().call('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    await replica.client().call('REPLICAOF', '127.0.0.1', '1');
    expect(await outcomeOf(redisProbe, replica.port)).toBe('has lost its primary (MASTERDOWN)');
  });

  it('with users lets in who may, and tells apart why not', async () => {
    const client = redis.client();
    await client.call('ACL', 'SETUSER', 'weir', 'on', `>${PASSWORD}`, '+ping', '+role');
    await client.call('ACL', 'SETUSER', 'reader', 'on', `>${PASSWORD}`, '+ping', '+info');
    await client.call('ACL', 'SETUSER', 'mute', 'on', `>${PASSWORD}`);
    const as = (user: string, password = PASSWORD): Promise<string> => outcomeOf(redisProbe, redis.port, { user, password, role: 'primary' });
    expect(await as('weir')).toBe('passed');
    expect(await as('reader')).toBe('passed');
    expect(await as('mute')).toBe('user lacks the permission (NOPERM)');
    expect(await as('weir', 'wrong')).toBe('user or password is wrong (WRONGPASS)');
    expect(await outcomeOf(redisProbe, redis.port, { password: PASSWORD })).toBe('has no password, and was sent one');
    await client.call('CONFIG', 'SET', 'requirepass', PASSWORD);
    expect(await outcomeOf(redisProbe, redis.port)).toBe('asks for a password (NOAUTH)');
    expect(await outcomeOf(redisProbe, redis.port, { password: PASSWORD, role: 'primary' })).toBe('passed');
    expect(await outcomeOf(redisProbe, redis.port, { password: 'wrong' })).toBe('user or password is wrong (WRONGPASS)');
  });
});
