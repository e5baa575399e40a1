/** The opening of a connection by itself: what its scenarios cannot make happen. */
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { TcpOpening, type OpeningOwner } from '../../../src/data-plane/listen/tcp-opening.ts';
import { RelayEnd } from '../../../src/data-plane/relay/tcp-relay.ts';
import { helloMessage, inRecords, serverNameExtension } from '../../support/client-hellos.ts';

function ownerWith(parts: Partial<OpeningOwner>): OpeningOwner {
  const unexpected = (): never => {
    throw new Error('not to be called');
  };
  return { onProxyHeader: unexpected, needsHello: unexpected, onOpened: unexpected, onRefused: unexpected, onUnused: unexpected, onRelayed: unexpected, onRelayEnded: unexpected, onEndFailed: unexpected, onBug: unexpected, ...parts };
}

test('a bug in what it calls goes to its owner, and no further', () => {
  const bugs: unknown[] = [];
  const bug = new Error('a bug');
  const owner = ownerWith({
    onProxyHeader: () => {
      throw bug;
    },
    onBug: (error) => bugs.push(error),
  });
  const opening = new TcpOpening(new Socket(), owner, 'require');
  opening.begin();
  opening.onBytes(Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 4711 8443\r\n'));
  expect(bugs).toEqual([bug]);
});

test.each(Array.from({ length: 40 }, (_, at) => at + 1))('a hello that comes in %i reads goes on as it came, with what follows it', (count) => {
  const sent = Buffer.concat([inRecords(helloMessage([serverNameExtension('a.example')])), Buffer.from('and more')]);
  const passedOn: Buffer[] = [];
  let name = '';
  let relayed = 0;
  const owner = ownerWith({
    needsHello: () => true,
    onOpened: (hello) => (name = hello!.serverName),
    onRelayed: (_from, bytes) => (relayed += bytes),
  });
  const opening = new TcpOpening(new Socket(), owner, 'off');
  const other = new RelayEnd(new Socket(), owner);
  other.send = (bytes) => passedOn.push(bytes) > 0;
  opening.begin();
  for (let part = 0; part < count; part++) opening.onBytes(sent.subarray(Math.floor((part * sent.length) / count), Math.floor(((part + 1) * sent.length) / count)));
  expect(name).toBe('a.example');
  opening.join(other);
  expect(Buffer.concat(passedOn).equals(sent)).toBe(true);
  expect(relayed).toBe(sent.length);
});
