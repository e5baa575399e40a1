/** An engine in front of one origin whose answer to /bad is a row of raw steps; every other request is answered well. */
import { OK, scenario, type Scenario } from './engine-scenario.ts';
import type { ListenerPatch, RawClient } from './engine.ts';

/** Raw bytes, or what is done to the connection instead. */
export type Step = string | { readonly do: 'end' | 'reset' | 'pause' };

export const END: Step = { do: 'end' };
export const RESET: Step = { do: 'reset' };
/** What follows is written only once the client has seen something of what came before. */
export const PAUSE: Step = { do: 'pause' };

export interface BadOrigin extends Scenario {
  /** Goes on behind the next PAUSE. */
  goOn(): void;
}

export async function badOrigin(steps: readonly Step[], listener: ListenerPatch = {}): Promise<BadOrigin> {
  let goOn = (): void => {};
  const s = await scenario(
    ({ path, socket }) => {
      if (path !== '/bad') return OK;
      let index = 0;
      goOn = () => {
        while (index < steps.length) {
          const step = steps[index++]!;
          if (typeof step === 'string') socket.write(Buffer.from(step, 'latin1'));
          else if (step.do === 'end') socket.end();
          else if (step.do === 'reset') socket.resetAndDestroy();
          else return;
        }
      };
      goOn();
      return null;
    },
    // A connection in doubt must be closed at once, not because it was idle for long.
    { listener, pool: { connections: { perBackend: 0, connectTimeoutMs: 2000, idleMs: 600_000 } } },
  );
  return { ...s, goOn: () => goOn() };
}

/** Turns the loop until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves once the origin's side of its connection number `index` is closed, or was shut down by the proxy. */
export async function connectionGone(s: Scenario, index = 0): Promise<void> {
  const socket = s.origin.origin.sockets[index]!;
  await until(() => socket.destroyed || socket.readableEnded);
}

/** Sends one more request of the same proxy, and resolves with the index of the origin's connection it came over. */
export async function connectionOfNext(s: Scenario): Promise<number> {
  const answer = await s.ask('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  if (!/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nok$/.test(answer)) throw new Error(`the next client got: ${JSON.stringify(answer)}`);
  return s.origin.origin.sockets.indexOf(s.origin.seen.findLast(({ path }) => path === '/next')!.socket);
}

/** What a strict client makes of what it received of one answer to a GET: whole, or visibly not. */
export function isVisiblyIncomplete(client: RawClient): boolean {
  if (client.error !== null) return true;
  const headEnd = client.received.indexOf('\r\n\r\n');
  if (headEnd === -1) return true;
  const head = client.received.slice(0, headEnd).toLowerCase();
  const body = client.received.slice(headEnd + 4);
  const length = /\r\ncontent-length: *(\d+)/.exec(head);
  if (length !== null) return body.length < Number(length[1]);
  // A zero chunk without what follows it could pass for the end (RFC 9112 §8).
  if (/\r\ntransfer-encoding: *chunked/.test(head)) return !/(^|\r\n)0+\r\n/.test(body);
  return false;
}
