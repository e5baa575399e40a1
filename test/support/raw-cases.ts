/**
 * Raw bytes in, exact outcome out: a request is refused, with nothing of it
 * seen by the origin, or it arrives as exactly one normalised request.
 */
import { expect } from 'vitest';
import type { ListenerPatch, RawClient } from './engine.ts';
import { OK, scenario, type Scenario } from './engine-scenario.ts';
import type { Script } from './scripted-origin.ts';

const AFTER = 'GET /after HTTP/1.1\r\nHost: after\r\nConnection: close\r\n\r\n';

/**
 * Sent as one piece and byte by byte, `raw` gets one answer of this status and
 * a closed connection, and the origin is not even connected to.
 */
export async function expectRefused(raw: string, status: number, listener: ListenerPatch = {}): Promise<void> {
  const s = await scenario(() => OK, { listener });
  await expectRefusal(s, (client) => client.send(raw), status);
  await expectRefusal(s, (client) => sendByteByByte(client, raw), status);
  await expectNothingSeen(s);
}

/** As above, for what is wrong behind the head: in one piece only, since otherwise the origin has the beginning by then. */
export async function expectBodyRefused(raw: string, status: number, listener: ListenerPatch = {}): Promise<void> {
  const s = await scenario(() => OK, { listener });
  await expectRefusal(s, (client) => client.send(raw), status);
  await expectNothingSeen(s);
}

async function expectRefusal(s: Scenario, send: (client: RawClient) => void | Promise<void>, status: number): Promise<void> {
  const client = await s.client();
  await send(client);
  // Looked at before the end, which does not come if it is none.
  expect(await client.until((received) => received.includes('\r\n\r\n'))).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*\r\nConnection: close\r\n`));
  expect((await client.untilEnd()).match(/HTTP\/1\.[01] \d/g)).toHaveLength(1);
}

/** A request of our own is the first the origin hears of. */
async function expectNothingSeen(s: Scenario): Promise<void> {
  await s.ask(AFTER);
  expect(s.origin.seen.map((request) => request.path)).toEqual(['/after']);
  expect(s.origin.origin.sockets).toHaveLength(1);
}

async function sendByteByByte(client: RawClient, raw: string): Promise<void> {
  client.socket.setNoDelay(true);
  for (const char of raw) {
    client.send(char);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * What the origin sees of `raw`: each request without the lines this proxy
 * adds to every one. A request sent right behind it on the same connection
 * must be understood as the next one: both sides agree where `raw` ended.
 */
export async function arrivals(raw: string, listener: ListenerPatch = {}, script: Script = () => OK): Promise<string[]> {
  const s = await scenario(script, { listener });
  const answers = await s.ask(raw + AFTER);
  const seen = s.origin.seen.map((request) => withoutOurs(request.raw));
  expect(seen.pop()).toMatch(/^GET \/after HTTP\/1\.1\r\nHost: after\r\n/);
  expect(answers.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(seen.length + 1);
  return seen;
}

/** The request without X-Forwarded-* and X-Request-ID. */
export function withoutOurs(raw: string): string {
  const headEnd = raw.indexOf('\r\n\r\n') + 2;
  return raw.slice(0, headEnd).replaceAll(/^X-(?:Forwarded-[A-Za-z]+|Request-ID): .*\r\n/gm, '') + raw.slice(headEnd);
}
