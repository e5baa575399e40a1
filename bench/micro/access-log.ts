/**
 * What a line of the access log costs the thread that records it: CPU time of
 * `record` alone, to a temporary file. Prints nanoseconds per line.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessLog } from '../../src/observe/access-log.ts';
import type { AccessLogEntry } from '../../src/observe/access-format.ts';

const LINES = 100_000;
const ROUNDS = 5;

function entryOf(i: number): AccessLogEntry {
  // Made of bytes each time, as a parser makes them: no two are the same string object.
  const text = (value: string): string => Buffer.from(value).toString('latin1');
  return {
    time: 1_764_000_000_000 + i,
    listener: 'web',
    route: 'api',
    pool: 'web',
    backend: `10.0.0.${1 + (i & 7)}:8080`,
    client: text(`192.168.1.${i & 255}`),
    method: 'GET',
    target: text(`/v1/users/${10000 + i}?expand=groups&page=2`),
    httpVersion: 11,
    host: text('api.example.com'),
    status: 200,
    bytesIn: 0,
    bytesOut: 5000 + i,
    durationMs: 1 + i / 777,
    backendMs: 0.5 + i / 999,
    attempts: 1,
    error: '',
    requestId: text((0x4f1c2d3e5a6b + i).toString(16).padStart(32, '0')),
    referer: text('https://www.example.com/some/page'),
    userAgent: text('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0 Safari/537.36'),
  };
}

const entries = Array.from({ length: 1024 }, (_, i) => entryOf(i));

const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'));
for (const format of ['json', 'common', 'combined'] as const) {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const log = new AccessLog(format, { path: join(folder, format) }, () => {});
    let spentUs = 0;
    for (let done = 0; done < LINES; done += 100) {
      const before = process.threadCpuUsage();
      for (let i = 0; i < 100; i++) log.record(entries[(done + i) & 1023]!);
      const spent = process.threadCpuUsage(before);
      spentUs += spent.user + spent.system;
      if (done % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await log.close();
    if (log.dropped > 0) throw new Error(`${log.dropped} lines were dropped: the figure would be wrong`);
    rounds.push((spentUs * 1000) / LINES);
  }
  rounds.sort((a, b) => a - b);
  console.log(`${format}: ${rounds[ROUNDS >> 1]!.toFixed(0)} ns a line (${rounds[0]!.toFixed(0)}–${rounds.at(-1)!.toFixed(0)})`);
}
rmSync(folder, { recursive: true });
