/** One engine in front of one scripted origin: what most scenarios of the engine need. */
import { afterEach } from 'vitest';
import { Engine, makeListener, makePool, RawClient, type ListenerPatch, type PoolPatch } from './engine.ts';
import { freePort } from './free-port.ts';
import { ScriptedOrigin, type Script } from './scripted-origin.ts';

export interface Scenario {
  readonly engine: Engine;
  readonly origin: ScriptedOrigin;
  readonly port: number;
  client(): Promise<RawClient>;
  /** Sends a request on a new connection and resolves with the answer once `end` is in it (by default: once it ends). */
  ask(request: string, end?: string): Promise<string>;
}

const toStop: (() => void)[] = [];
afterEach(() => {
  for (const stop of toStop.splice(0)) stop();
});

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

export async function scenario(script: Script, options: { listener?: ListenerPatch; pool?: PoolPatch } = {}): Promise<Scenario> {
  const origin = await ScriptedOrigin.start(script);
  const port = await freePort();
  const engine = await Engine.start([makeListener(port, options.listener)], [makePool([origin.port], options.pool)]);
  toStop.push(() => engine.stop(), () => origin.stop());
  const client = async (): Promise<RawClient> => {
    const opened = await RawClient.open(port);
    toStop.push(() => opened.close());
    return opened;
  };
  return {
    engine,
    origin,
    port,
    client,
    async ask(request, end) {
      const opened = await client();
      opened.send(request);
      return end === undefined ? opened.untilEnd() : opened.until((received) => received.includes(end));
    },
  };
}

/** The head of a raw message, without the lines that vary (ids, dates, ports). */
export function stableHead(raw: string): string[] {
  return raw
    .slice(0, raw.indexOf('\r\n\r\n'))
    .split('\r\n')
    .filter((line) => !/^(X-Request-ID|Date|X-Forwarded-Port):/.test(line));
}
