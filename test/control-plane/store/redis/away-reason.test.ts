import { describe, expect, it } from 'vitest';
import { awayReason, endsConnection } from '../../../../src/control-plane/store/redis/away-reason.ts';

function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

describe('why the store is away', () => {
  it.each([
    [Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' }), 'refused'],
    [Object.assign(new Error('unable to verify'), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }), 'TLS: unable to verify'],
    [Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'TLS: self-signed certificate'],
    [new Error('Connection is closed.'), 'connection lost'],
    [new Error('All sentinels are unreachable and retry is disabled. Last error: connect ECONNREFUSED 127.0.0.1:1'), 'no Sentinel answers: refused'],
    [new Error('All sentinels are unreachable and retry is disabled.'), 'no Sentinel knows the master'],
    [Object.assign(new Error('Failed to refresh slots cache.'), { lastNodeError: Object.assign(new Error('x'), { code: 'ETIMEDOUT' }) }), 'no node of the cluster answers: no connection in time'],
    [replyError("OOM command not allowed when used memory > 'maxmemory'. script: 0a1b, on @user_script:57."), "OOM command not allowed when used memory > 'maxmemory'."],
    [replyError('ERR Error running script (call to f_0a1b): @user_script:3: OOM command not allowed'), 'OOM command not allowed'],
    [replyError('ERR line\r\nanother'), 'ERR line another'],
    [replyError('x'.repeat(500)), `${'x'.repeat(120)}…`],
    ['no error at all', 'unknown failure'],
  ])('%s', (error, reason) => {
    expect(awayReason(error)).toBe(reason);
  });

  it('is a reason to look for another server when the connection or the server is the wrong one', () => {
    expect(['READONLY You can’t write', 'LOADING Redis is loading', 'MOVED 1 h:1', 'CLUSTERDOWN Hash slot not served', 'NOAUTH Authentication required.'].map((text) => endsConnection(replyError(text)))).not.toContain(false);
    expect(endsConnection(new Error('Connection is closed.'))).toBe(true);
    expect(['OOM command not allowed', 'NOREPLICAS Not enough good replicas', 'BUSY Redis is busy', 'WRONGTYPE Operation'].map((text) => endsConnection(replyError(text)))).not.toContain(true);
  });
});
