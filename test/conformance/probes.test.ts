/** What every probe type must do, over the registry: see src/control-plane/health/probe.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { dial, type Dial } from '../../src/net/dial.ts';
import type { ProbeDefinition, ProbeResult } from '../../src/control-plane/health/probe.ts';
import { probeDefinitions } from '../../src/control-plane/health/registry.ts';
import { emptySettings, servingFrames } from '../support/http2-frames.ts';
import { postgresBegin } from '../support/postgres-transcript.ts';
import { OddBackend, refusingPort } from '../support/odd-backends.ts';

/** A backend that each type calls well; a new type adds its own line. */
const well: Readonly<Record<string, () => Promise<OddBackend>>> = {
  grpc: () => OddBackend.start((socket) => void socket.once('data', () => socket.write(Buffer.concat([emptySettings, ...servingFrames])))),
  http: () => OddBackend.answering('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
  postgres: () => OddBackend.answering(postgresBegin.toString('latin1')),
  tcp: () => OddBackend.start((socket) => socket.resume()),
};

const running: OddBackend[] = [];
const started = async (backend: Promise<OddBackend>): Promise<OddBackend> => {
  running.push(await backend);
  return backend;
};
afterEach(async () => {
  await Promise.all(running.splice(0).map((backend) => backend.stop()));
});

function attempt(definition: ProbeDefinition, port: number, signal = new AbortController().signal, through: Dial = dial): Promise<ProbeResult> {
  return definition.probe({ host: '127.0.0.1', port, address: `127.0.0.1:${port}` }, definition.options.parse({}), { signal, dial: through, clock: systemClock });
}

it('are listed in order, once each', () => {
  const names = probeDefinitions.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
});

describe.each(probeDefinitions.map((definition) => ({ name: definition.name, definition })))('$name', ({ name, definition }) => {
  it('describes itself, and its defaults are plain JSON', () => {
    expect(definition.summary).toMatch(/^[A-Z].*\.$/);
    const defaults = definition.options.parse({});
    expect(JSON.parse(JSON.stringify(defaults))).toEqual(defaults);
    expect(definition.options.safeParse({ nonsense: 1 }).success).toBe(false);
  });

  it('passes a backend that is well, over a fresh connection each time, and leaves none', async () => {
    const backend = await started(well[name]!());
    for (let i = 0; i < 2; i++) {
      const result = await attempt(definition, backend.port);
      expect(result).toMatchObject({ ok: true });
      expect(result.ok && result.latencyMs >= 0).toBe(true);
    }
    expect(backend.connections).toBe(2);
    await backend.idle();
    expect(backend.errors).toEqual([]);
  });

  it('fails a refused connect', async () => {
    expect(await attempt(definition, await refusingPort())).toEqual({ ok: false, reason: 'connection refused', unreached: true });
  });

  it('blames this machine, not the backend, when it is out of descriptors', async () => {
    const failing: Dial = (to) => {
      const socket = dial(to);
      socket.destroy(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
      return socket;
    };
    expect(await attempt(definition, 1, undefined, failing)).toEqual({ ok: false, reason: 'out of file descriptors', unreached: true, ours: true });
  });

  it('settles when told to give up, before it began and in the middle, and closes its connection', async () => {
    const gone = new AbortController();
    gone.abort();
    const silent = await started(OddBackend.start((socket) => socket.resume()));
    expect((await attempt(definition, silent.port, gone.signal)).ok).toBe(false);

    const controller = new AbortController();
    const result = attempt(definition, silent.port, controller.signal, (to) => dial(to).once('connect', () => setImmediate(() => controller.abort())));
    await result;
    await silent.idle();
  });
});
