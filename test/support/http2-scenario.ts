/** An engine in front of a scripted origin, with clients of HTTP/2 by hand: what the scenarios of HTTP/2 need. */
import { afterEach } from 'vitest';
import { scenario, type Scenario } from './engine-scenario.ts';
import { emptySettings } from './http2-frames.ts';
import { Http2RawClient, type FieldList } from './http2-raw-client.ts';
import type { ListenerPatch, PoolPatch } from './engine.ts';
import type { Script } from './scripted-origin.ts';

export interface Http2Scenario extends Scenario {
  http2(settings?: Buffer, before?: string): Promise<Http2RawClient>;
}

const toClose: Http2RawClient[] = [];
afterEach(() => {
  for (const client of toClose.splice(0)) client.close();
});

export async function http2Scenario(script: Script, options: { listener?: ListenerPatch; pool?: PoolPatch } = {}): Promise<Http2Scenario> {
  const base = await scenario(script, options);
  return {
    ...base,
    async http2(settings = emptySettings, before = '') {
      const client = await Http2RawClient.open(base.port, settings, before);
      toClose.push(client);
      return client;
    },
  };
}

/** Fields of a request with one of them said otherwise, left out (null) or added. */
export function withField(fields: FieldList, name: string, value: string | null): FieldList {
  const others = fields.filter(([other]) => other !== name);
  if (value === null) return others;
  const at = fields.findIndex(([other]) => other === name);
  return at === -1 ? [...fields, [name, value]] : fields.map((field) => (field[0] === name ? [name, value] : field));
}
