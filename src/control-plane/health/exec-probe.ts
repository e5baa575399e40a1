/**
 * `exec`: passes when a program of the operator's own exits with 0. What else
 * there is to say (where it may lie, what it gets, how it ends) holds in
 * programs.ts. Its exit code and the first line that it wrote are the reason.
 */
import { z } from 'zod';
import type { ProbeDefinition, ProbeResult, ProbeTarget } from './probe.ts';
import type { ProgramEnd } from './programs.ts';
import { reasonText } from './reason-text.ts';

const WORDS_MAX = 64;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const word = z
  .string()
  .max(4096, { error: 'is longer than 4096 characters' })
  .refine((text) => !text.includes('\0'), { error: 'holds a zero byte' });

const options = z.strictObject({
  command: z.array(word).max(WORDS_MAX).default([]).describe('A program below the folder of --plugins, and its arguments, which no shell reads. Required.'),
});

export const execProbe: ProbeDefinition<z.infer<typeof options>> = {
  name: 'exec',
  summary: 'Passes when a program of your own, from the folder of --plugins, exits with 0.',
  options,
  async probe(target, { command }, { signal, programs }): Promise<ProbeResult> {
    if (programs === undefined || command.length === 0) return { ok: false, reason: 'no program may be run here' };
    return resultOf(await programs.run({ command, environment: environmentOf(target), signal }));
  },
};

function environmentOf({ host, port, address }: ProbeTarget): Record<string, string> {
  return { PATH, LANG: 'C.UTF-8', WEIR_ADDRESS: address, WEIR_HOST: host, WEIR_PORT: String(port) };
}

function resultOf(end: ProgramEnd): ProbeResult {
  switch (end.kind) {
    case 'exit':
      if (end.code === 0) return { ok: true, latencyMs: end.ranMs };
      return { ok: false, reason: withLine(end.code === null ? `ended by ${end.signal}` : `exit ${end.code}`, end.line) };
    case 'wrote-too-much':
      return { ok: false, reason: 'the program wrote more than 64 KiB' };
    case 'stopped':
      return { ok: false, reason: 'gave up' };
    case 'no-place':
      return { ok: false, reason: 'too many programs ran already', ours: true };
    case 'not-started': {
      const reason = reasonText('the program could not be run:', end.reason);
      return end.ours ? { ok: false, reason, ours: true } : { ok: false, reason };
    }
  }
}

function withLine(what: string, line: string): string {
  return line === '' ? what : reasonText(`${what}:`, line);
}
