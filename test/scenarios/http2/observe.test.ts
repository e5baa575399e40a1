import { expect, it } from 'vitest';
import type { AccessLog } from '../../../src/observe/access-log.ts';
import type { AccessLogEntry } from '../../../src/observe/access-format.ts';
import { HTTP2_ERRORS, listenerColumns, requestCell } from '../../../src/shared/counter-pages.ts';
import { OK } from '../../support/engine-scenario.ts';
import { http2Frame } from '../../support/http2-frames.ts';
import { dataFrame, GET, headersFrame, POST } from '../../support/http2-raw-client.ts';
import { http2Scenario, withField } from '../../support/http2-scenario.ts';

it('the access log has a line for each request, of version 2', async () => {
  const s = await http2Scenario(() => OK);
  const entries: AccessLogEntry[] = [];
  s.engine.context.accessLog = { record: (entry: AccessLogEntry) => void entries.push({ ...entry }) } as unknown as AccessLog;
  const client = await s.http2();
  client.send(headersFrame(1, [...withField(POST, ':path', '/p?q'), ['user-agent', 'ua'], ['content-length', '5']], 4), dataFrame(1, 'hello', true));
  await client.answer(1);
  client.send(headersFrame(3, [...GET, ['content-length', '5'], ['content-length', '5']]));
  await client.answer(3);
  await expect.poll(() => entries.length).toBe(2);
  expect(entries[0]).toMatchObject({ method: 'POST', target: '/p?q', httpVersion: 20, host: 'a', status: 200, bytesIn: 5, bytesOut: 2, userAgent: 'ua', error: '', attempts: 1 });
  expect(entries[0]!.requestId).toMatch(/^[0-9a-f]{32}$/);
  expect(entries[1]).toMatchObject({ method: '-', httpVersion: 20, status: 400, error: 'bad-request' });
});

it('counters: connections, requests, and why a connection was refused', async () => {
  const s = await http2Scenario(() => OK);
  const client = await s.http2();
  client.send(headersFrame(1, GET));
  await client.answer(1);
  client.send(http2Frame(6, 0, 1, Buffer.alloc(8)));
  await client.goaway();
  const { cells, base } = s.engine.context.counters.listeners.at(0);
  expect(cells[base + listenerColumns.http2Connections]).toBe(1);
  expect(cells[base + listenerColumns.http2Refused + HTTP2_ERRORS.indexOf('protocol-error')]).toBe(1);
  expect(cells[base + requestCell(0, 200)]).toBe(1);
  await expect.poll(() => cells[base + listenerColumns.connections]).toBe(0);
});
