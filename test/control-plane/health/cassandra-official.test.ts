/** The Cassandra probe against a stand-in on the official driver's codecs. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cassandraProbe } from '../../../src/control-plane/health/cassandra-probe.ts';
import { CassandraStandIn } from '../../support/cassandra-stand-in.ts';
import { outcomeOf } from '../../support/probe-once.ts';

const login = { user: 'weir', password: 'open sesame' };

let node: CassandraStandIn;
beforeAll(async () => {
  node = await CassandraStandIn.start();
});
beforeEach(() => {
  node.behaviour = { login: null };
  node.requests.length = 0;
});
afterAll(() => node.backend.stop());

describe('the stand-in', () => {
  it.each([null, login])('is taken for a node by the official driver, with the login %j', async (wanted) => {
    node.behaviour = { login: wanted };
    await node.welcomeDriver();
    expect(node.requests).toContainEqual({ STARTUP: expect.objectContaining({ CQL_VERSION: '3.0.0' }) });
  });
});

describe('a node', () => {
  it('is asked what the driver reads as OPTIONS and STARTUP, and closed without a reset', async () => {
    await node.backend.idle();
    const errors = node.backend.errors.length;
    expect(await outcomeOf(cassandraProbe, node.port)).toBe('passed');
    expect(node.requests).toEqual(['OPTIONS', { STARTUP: { CQL_VERSION: '3.0.0' } }]);
    await node.backend.idle();
    expect(node.backend.errors.slice(errors)).toEqual([]);
  });

  it('that asks for a login passes without one, and with the right one alone', async () => {
    node.behaviour = { login };
    expect(await outcomeOf(cassandraProbe, node.port)).toBe('passed');
    expect(await outcomeOf(cassandraProbe, node.port, login)).toBe('passed');
    expect(node.requests.at(-1)).toEqual({ AUTH_RESPONSE: '\0weir\0open sesame' });
    expect(await outcomeOf(cassandraProbe, node.port, { ...login, password: 'open barley' })).toBe('login refused (0x0100)');
  });

  it('that is overloaded or bootstrapping says so', async () => {
    node.behaviour = { login: null, error: { code: 0x1002, message: 'Cannot be used yet' } };
    expect(await outcomeOf(cassandraProbe, node.port)).toBe('is bootstrapping (0x1002): Cannot be used yet');
    node.behaviour = { login: null, error: { code: 0x1001, message: 'Request rate too high' } };
    expect(await outcomeOf(cassandraProbe, node.port)).toBe('overloaded (0x1001): Request rate too high');
  });
});
