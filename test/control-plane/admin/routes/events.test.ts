import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../../src/base/clock.ts';
import { STREAMS_MAX } from '../../../../src/control-plane/admin/sse.ts';
import { EventReader } from '../../../support/event-reader.ts';
import { AdminWorld, startAdmin, type StartedAdmin } from '../../../support/admin-world.ts';

let world: AdminWorld;
let started: StartedAdmin;

beforeEach(async () => {
  world = new AdminWorld();
  started = await startAdmin(world);
});
afterEach(async () => {
  EventReader.closeAll();
  await started.close();
});

const open = (headers: Record<string, string> = {}, query = ''): Promise<EventReader> => EventReader.open(started.url, headers, query);

const emit = (n: number): void => world.events.emit({ type: 'worker', worker: n, change: 'started', reason: '' });

describe('the stream', () => {
  it('brings what happens, with time, kind and fields', async () => {
    const reader = await open();
    world.events.emit({ type: 'verdict', pool: 'web', address: '10.0.0.1:80', from: 'up', to: 'down', reason: 'refused' });
    expect(await reader.next()).toEqual({
      id: expect.stringMatching(/^[0-9a-z]+-1$/),
      event: 'verdict',
      data: { at: expect.stringMatching(/Z$/), type: 'verdict', pool: 'web', address: '10.0.0.1:80', from: 'up', to: 'down', reason: 'refused' },
    });
  });

  it('resumes behind Last-Event-ID: nothing is lost, nothing comes twice', async () => {
    const reader = await open();
    emit(1);
    emit(2);
    await reader.next();
    const last = (await reader.next())!.id!;
    reader.close();
    for (let n = 3; n <= 40; n++) emit(n);
    const again = await open({ 'last-event-id': last });
    emit(41);
    for (let n = 3; n <= 41; n++) expect((await again.next())!.data['worker']).toBe(n);
  });

  it('tells of a gap when what was missed is no longer held, or was another process’s', async () => {
    emit(1);
    for (const id of ['zzzz-1', 'nonsense', '-5']) {
      const reader = await open({ 'last-event-id': id });
      expect((await reader.next())!.event, id).toBe('gap');
      expect((await reader.next())!.data['worker'], id).toBe(1);
    }
  });

  it('brings all that is held when asked for 0', async () => {
    emit(1);
    emit(2);
    const reader = await open({}, '?lastEventId=0');
    expect([(await reader.next())!.data['worker'], (await reader.next())!.data['worker']]).toEqual([1, 2]);
  });

  it('ends when the interface closes', async () => {
    const reader = await open();
    await started.admin.close();
    expect(await reader.next()).toBeNull();
  });

  it('refuses more readers than there is room for, and frees the place of one that left', async () => {
    const opened = await Promise.all(Array.from({ length: STREAMS_MAX }, () => open()));
    expect((await fetch(`${started.url}/api/v1/events`)).status).toBe(503);
    expect((await fetch(`${started.url}/healthz`)).status).toBe(200);
    opened[0]!.close();
    let status = 503;
    // The place is free once the interface has seen the connection close.
    while (status === 503) {
      const answer = await fetch(`${started.url}/api/v1/events`);
      status = answer.status;
      await answer.body?.cancel();
    }
    expect(status).toBe(200);
  });
});

describe('a quiet stream', () => {
  it('has a comment every 15 s, so that nothing on the way takes it for dead; none once its reader left', async () => {
    const beats: { periodMs: number; run: () => void }[] = [];
    let cancelled = 0;
    const clock: Clock = {
      ...systemClock,
      every(periodMs, run) {
        beats.push({ periodMs, run });
        return { cancel: () => void (cancelled += 1) };
      },
    };
    const quiet = new AdminWorld({ clock });
    const listening = await startAdmin(quiet);
    const socket = connect(listening.port, '127.0.0.1');
    socket.setEncoding('latin1').write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let text = '';
    while (!text.includes('retry:')) text += String((await once(socket, 'data'))[0]);
    expect(beats.map(({ periodMs }) => periodMs)).toEqual([15_000]);
    beats[0]!.run();
    while (!text.includes(': heartbeat\n\n')) text += String((await once(socket, 'data'))[0]);
    socket.end();
    await listening.close();
    expect(cancelled).toBe(1);
  });
});

describe('a reader that does not read', () => {
  it('is cut off, and the others lose nothing', async () => {
    const good = await open();
    const stalled: Socket = connect(started.port, '127.0.0.1');
    stalled.pause();
    await once(stalled, 'connect');
    stalled.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    // It is subscribed once the admin interface has answered its head; a second stream's answer comes behind it.
    await open();
    const closed = once(stalled, 'close');
    stalled.on('error', () => {});
    const reason = 'x'.repeat(100_000);
    for (let n = 1; n <= 400; n++) {
      world.events.emit({ type: 'worker', worker: n, change: 'exited', reason });
      expect((await good.next())!.data['worker']).toBe(n);
    }
    stalled.resume();
    await closed;
  });
});
