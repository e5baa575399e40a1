import { describe, expect, it } from 'vitest';
import { TierKey } from '../../../src/control-plane/rollout/tier-key.ts';

const key = new TierKey(Buffer.from('one secret of the tier'));
const other = new TierKey(Buffer.from('quite another secret'));
const bytes = Buffer.from('pools: {}\n');

describe('the tier’s key', () => {
  it('signs history, number and bytes together', () => {
    const hmac = key.signConfig('h', 3, bytes);
    expect(key.isConfigSigned('h', 3, bytes, hmac)).toBe(true);
    expect(key.isConfigSigned('g', 3, bytes, hmac)).toBe(false);
    expect(key.isConfigSigned('h', 4, bytes, hmac)).toBe(false);
    expect(key.isConfigSigned('h', 3, Buffer.from('pools: {} \n'), hmac)).toBe(false);
    expect(other.isConfigSigned('h', 3, bytes, hmac)).toBe(false);
    expect(key.isConfigSigned('h', 3, bytes, null)).toBe(false);
    expect(key.isConfigSigned('h', 3, bytes, 'short')).toBe(false);
  });

  it('seals an operator’s word with its key, stamp and name, which stay readable', () => {
    const text = '1767225600000 alice {"state":"drain","reason":"a b"}';
    const sealed = key.sealOperatorState('web 10.0.0.1:80', text);
    expect(sealed).toMatch(/^1767225600000 alice \{/);
    expect(key.openOperatorState('web 10.0.0.1:80', sealed)).toBe(text);
    expect(key.openOperatorState('web 10.0.0.2:80', sealed)).toBeNull();
    expect(key.openOperatorState('web 10.0.0.1:80', sealed.replace('1767225600000', '1767225600001'))).toBeNull();
    expect(key.openOperatorState('web 10.0.0.1:80', sealed.replace('drain', 'ready'))).toBeNull();
    expect(other.openOperatorState('web 10.0.0.1:80', sealed)).toBeNull();
    for (const forged of [text, '', '1 a', '1 a null', '1 a {"sealed":1}']) expect(key.openOperatorState('web 10.0.0.1:80', forged)).toBeNull();
  });

  it('seals keys of session tickets for one tier, and opens nothing else', () => {
    const keys = Uint8Array.from({ length: 200 }, (_, i) => i);
    const text = key.sealTickets('edge', keys);
    expect(text).toMatch(/^[\w-]+$/);
    expect(key.openTickets('edge', text)).toEqual(keys);
    expect(key.sealTickets('edge', keys)).not.toBe(text);
    expect(key.openTickets('other', text)).toBeNull();
    expect(other.openTickets('edge', text)).toBeNull();
    const sealed = Buffer.from(text, 'base64url');
    for (const at of [0, 12, 100, sealed.length - 1]) {
      const altered = Buffer.from(sealed);
      altered[at]! ^= 1;
      expect(key.openTickets('edge', altered.toString('base64url'))).toBeNull();
    }
    for (const forged of ['', 'A', text.slice(0, 30), text.slice(0, -4), '\u0000é', 'x'.repeat(1000)]) expect(key.openTickets('edge', forged)).toBeNull();
  });
});
