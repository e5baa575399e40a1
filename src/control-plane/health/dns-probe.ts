/**
 * `dns`: asks one question over UDP, and passes when the answer's response code
 * is an expected one, whatever records it holds. The id is random, and answers
 * with another are passed over. There is no second try and no TCP: a truncated
 * answer has its code like any other.
 */
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { exchange } from './datagram-exchange.ts';
import { buildQuery, parseQuestion, readResponseCode, responseCodes } from './dns-query.ts';
import type { ProbeDefinition } from './probe.ts';
import { failed } from './talk-script.ts';

const IDS = 0x10000;
const code = z.enum(responseCodes, { error: `one of ${responseCodes.join(', ')}` });

const options = z.strictObject({
  query: z
    .string()
    .refine((text) => parseQuestion(text) !== null, { error: 'a question is a name and a type, such as example.com A' })
    .default('. NS')
    .describe('Name and record type that are asked for.'),
  expect: z
    .union([code, z.array(code).min(1)])
    .transform((written) => (Array.isArray(written) ? written : [written]))
    .prefault('NOERROR')
    .describe('Response codes that pass: one, or a list of them.'),
});

export const dnsProbe: ProbeDefinition<z.infer<typeof options>> = {
  name: 'dns',
  summary: 'Passes when a DNS query over UDP is answered with an expected response code.',
  options,
  probe: (target, { query, expect }, context) => {
    const bytes = buildQuery(randomInt(IDS), parseQuestion(query)!);
    return exchange(target, context, {
      bytes,
      judge(datagram) {
        const answered = readResponseCode(datagram, bytes);
        if (answered === null) return null;
        return (expect as readonly string[]).includes(answered) ? { passed: true } : failed(`answered ${answered}, expected ${expect.join(' or ')}`);
      },
      silenceMs: null,
    });
  },
};
