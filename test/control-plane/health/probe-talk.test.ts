/** Conversations with real sockets: whatever the backend does, one result, and no connection left. */
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import type { ProbeResult } from '../../../src/control-plane/health/probe.ts';
import { talk, type TalkOptions } from '../../../src/control-plane/health/probe-talk.ts';
import { compute, exactly, failed, line, read, say, type Talk } from '../../../src/control-plane/health/talk-script.ts';
import { dialUdp } from '../../../src/net/dial-udp.ts';
import { dial } from '../../../src/net/dial.ts';
import { OddBackend, refusingPort } from '../../support/odd-backends.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

let backend: OddBackend;
afterEach(() => backend.stop());

interface Attempt {
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly port?: number;
}

function attempt(script: Talk, options: TalkOptions = {}, { signal = new AbortController().signal, clock = systemClock, port = backend.port }: Attempt = {}): Promise<ProbeResult> {
  return talk({ host: '127.0.0.1', port, address: 'x' }, { signal, dial, dialUdp, clock }, script, options);
}

/** Two questions, each answered by a line. */
function* questions(): Talk {
  yield* say('one\n');
  const first = yield* read(line(100));
  yield* say('two\n');
  const second = yield* read(line(100));
  const text = `${first.toString('latin1')}${second.toString('latin1')}`;
  return text === '1\n2\n' ? { passed: true, goodbye: Buffer.from('bye\n') } : failed('answered', text, Buffer.from('bye\n'));
}

/** Answers each line that comes. */
const answering = (answers: Readonly<Record<string, string>>, after: (socket: Socket, asked: string) => void = () => undefined): Promise<OddBackend> =>
  OddBackend.start((socket) => {
    socket.on('data', (bytes) => {
      const asked = bytes.toString('latin1');
      const answer = answers[asked];
      if (answer !== undefined) socket.write(answer);
      after(socket, asked);
    });
  });

describe('a conversation', () => {
  it('passes, says goodbye, and ends without a reset', async () => {
    backend = await answering({ 'one\n': '1\n', 'two\n': '2\n', 'bye\n': 'so long\n' });
    expect(await attempt(questions())).toEqual({ ok: true, latencyMs: expect.any(Number) });
    await backend.idle();
    expect(backend.received).toBe('one\ntwo\nbye\n');
    expect(backend.errors).toEqual([]);
  });

  it('fails with the reason of its script, secrets masked', async () => {
    backend = await answering({ 'one\n': 'no, s3cret\r\n', 'two\n': '\n' });
    expect(await attempt(questions(), { secrets: ['s3cret', null, undefined, ''] })).toEqual({ ok: false, reason: 'answered no, ***' });
    await backend.idle();
    expect(backend.errors).toEqual([]);
  });

  it('waits for work done elsewhere, and hears the backend close meanwhile', async () => {
    const closed = Promise.withResolvers<void>();
    backend = await OddBackend.start((socket) => socket.resume().on('close', closed.resolve).end());
    function* slow(): Talk {
      yield* compute({ later: () => closed.promise, now: () => undefined });
      yield* say('still there?');
      yield* read(exactly(1));
      return { passed: true };
    }
    expect(await attempt(slow())).toEqual({ ok: false, reason: 'closed before it answered' });
  });

  it('fails with what its script broke on, if that is a bug', async () => {
    backend = await answering({});
    function* broken(): Talk {
      yield* say('one\n');
      throw new Error('oops');
    }
    function* rejected(): Talk {
      yield* compute({ later: () => Promise.reject(new Error('oops')), now: () => undefined });
      return { passed: true };
    }
    expect(await attempt(broken())).toEqual({ ok: false, reason: 'probe failed: Error: oops' });
    expect(await attempt(rejected())).toEqual({ ok: false, reason: 'probe failed: Error: oops' });
    await backend.idle();
  });
});

describe('a backend', () => {
  it.each([
    { what: 'closes at once', answers: {}, closes: '', reason: 'closed before it answered' },
    { what: 'closes instead of its first answer', answers: {}, closes: 'one\n', reason: 'closed before it answered' },
    { what: 'closes in its first answer', answers: { 'one\n': '1' }, closes: 'one\n', reason: 'closed in the middle of its answer' },
    { what: 'closes after its first answer', answers: { 'one\n': '1\n' }, closes: 'one\n', reason: 'closed before it answered' },
    { what: 'closes in its last answer', answers: { 'one\n': '1\n', 'two\n': '2' }, closes: 'two\n', reason: 'closed in the middle of its answer' },
  ])('that $what: $reason', async ({ answers, closes, reason }) => {
    backend = closes === '' ? await OddBackend.start((socket) => socket.end()) : await answering(answers, (socket, asked) => asked === closes && socket.end());
    expect(await attempt(questions())).toEqual({ ok: false, reason });
    await backend.idle();
  });

  it('that resets says so', async () => {
    backend = await OddBackend.start((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await attempt(questions())).toEqual({ ok: false, reason: 'connection reset' });
  });

  it('that refuses says so', async () => {
    backend = await answering({});
    expect(await attempt(questions(), {}, { port: await refusingPort() })).toEqual({ ok: false, reason: 'connection refused', unreached: true });
  });

  it('that answers a byte at a time passes', async () => {
    backend = await OddBackend.start((socket) => {
      socket.resume();
      const rest = [...'1\n2\n'];
      const next = (): void => void (rest.length > 0 && socket.write(rest.shift()!, () => setImmediate(next)));
      next();
    });
    expect(await attempt(questions())).toMatchObject({ ok: true });
  });

  it('that sends megabytes of one message is cut off at the limit', async () => {
    backend = await flooding('x'.repeat(0x4000));
    function* patient(): Talk {
      yield* read(() => 0);
      return { passed: true };
    }
    expect(await attempt(patient(), { bytesMax: 10_000 })).toEqual({ ok: false, reason: 'answer is larger than 10000 bytes' });
    await backend.idle();
  });

  it('that goes on with megabytes after the decision is cut off too', async () => {
    backend = await flooding('1\n'.repeat(0x2000));
    function* brief(): Talk {
      yield* read(exactly(1));
      return { passed: true };
    }
    // No timer fires here: its bytes alone end it.
    expect(await attempt(brief(), {}, { clock: new VirtualClock() })).toMatchObject({ ok: true });
    await backend.idle();
  });

  it('that never closes its side is dropped after a second', async () => {
    backend = await OddBackend.start((socket) => socket.resume().write('1\n2\n'), { allowHalfOpen: true });
    const clock = new VirtualClock();
    expect(await attempt(questions(), {}, { clock })).toMatchObject({ ok: true });
    expect(clock.pending).toBe(1);
    await clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  it('that says nothing ends when the signal aborts, at once', async () => {
    const controller = new AbortController();
    backend = await OddBackend.start((socket) => socket.once('data', () => controller.abort()));
    expect(await attempt(questions(), {}, { signal: controller.signal })).toEqual({ ok: false, reason: 'gave up' });
    await backend.idle();
    expect(await attempt(questions(), {}, { signal: controller.signal })).toEqual({ ok: false, reason: 'gave up', unreached: true });
    expect(backend.connections).toBe(1);
  });
});

/** Sends `piece` until it is reset, though the other side has closed. */
function flooding(piece: string): Promise<OddBackend> {
  return OddBackend.start(
    (socket) => {
      socket.resume();
      const more = (): void => void (socket.destroyed || socket.write(piece, () => setImmediate(more)));
      more();
    },
    { allowHalfOpen: true },
  );
}
