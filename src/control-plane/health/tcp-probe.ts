/**
 * `tcp`: passes when the backend's kernel accepts a connection. It cannot see a
 * process that accepts and then says nothing; that is what `http` is for.
 */
import { z } from 'zod';
import { closeGently } from '../../net/dial.ts';
import { connectFailure } from './connect-failure.ts';
import type { ProbeDefinition, ProbeResult } from './probe.ts';

/** How long a backend may take to answer our FIN before the socket is dropped. */
const LINGER_MS = 1000;

const options = z.strictObject({});

export const tcpProbe: ProbeDefinition<z.infer<typeof options>> = {
  name: 'tcp',
  summary: 'Passes when a TCP connection is accepted.',
  options,
  probe(target, _options, { signal, dial, clock }) {
    return new Promise<ProbeResult>((resolve) => {
      const startMs = clock.monotonicMs();
      const socket = dial({ address: target.host, port: target.port });
      const finish = (result: ProbeResult): void => {
        signal.removeEventListener('abort', abort);
        resolve(result);
      };
      const abort = (): void => {
        finish({ ok: false, reason: 'gave up', unreached: true });
        socket.destroy();
      };
      socket.once('connect', () => {
        finish({ ok: true, latencyMs: clock.monotonicMs() - startMs });
        closeGently(socket, clock, LINGER_MS);
      });
      socket.once('error', (error) => {
        finish(connectFailure(error));
      });
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort);
    });
  },
};
