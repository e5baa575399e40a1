import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { chooseReader, readFrom } from '../../src/net/read-from.ts';
import { gather, handOnGathered } from '../../src/net/turn-reads.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whose reads are noted in `told` with its name. */
function gatherer(name: string, told: string[]): { handOn(bytes: Buffer): void } {
  return { handOn: (bytes) => void told.push(`${name}:${bytes.toString()}`) };
}

/** After this reads are gathered: whatever was to be handed on at once has been. */
async function untilGathering(): Promise<void> {
  const nobody = { handOn(): void {} };
  while (!gather(nobody, Buffer.from('x')));
  for (let i = 0; i < 3; i++) gather(nobody, Buffer.from('x'));
  await turn();
}

describe.sequential('the reads of a turn', () => {
  it('are handed on at its end, in the order they came', async () => {
    await untilGathering();
    const told: string[] = [];
    for (const name of ['a', 'b', 'a', 'c']) expect(gather(gatherer(name, told), Buffer.from(String(told.length + 1)))).toBe(true);
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual(['a:1', 'b:1', 'a:1', 'c:1']);
  });

  it('are handed on before their turn ends if asked, and once', async () => {
    await untilGathering();
    const told: string[] = [];
    for (const name of ['a', 'b', 'c', 'd']) gather(gatherer(name, told), Buffer.from('1'));
    handOnGathered();
    expect(told).toEqual(['a:1', 'b:1', 'c:1', 'd:1']);
    await turn();
    expect(told).toHaveLength(4);
  });

  it('are handed on at once when a turn had few, and gathered again in time', async () => {
    await untilGathering();
    const told: string[] = [];
    expect(gather(gatherer('a', told), Buffer.from('1'))).toBe(true);
    await turn();
    expect(told).toEqual(['a:1']);
    let atOnce = 0;
    while (!gather(gatherer('b', told), Buffer.from('1'))) atOnce++;
    expect(atOnce).toBeGreaterThan(0);
    expect(atOnce).toBeLessThan(1000);
    await turn();
    expect(told).toEqual(['a:1', 'b:1']);
  });

  it('are handed on at once if they are large', async () => {
    await untilGathering();
    expect(gather({ handOn() {} }, Buffer.alloc(64 * 1024))).toBe(false);
  });

  it('stay whole for the others when one of them fails', async () => {
    await untilGathering();
    const told: string[] = [];
    const failing = { handOn: (): void => { throw new Error('a bug'); } };
    for (const each of [gatherer('a', told), failing]) gather(each, Buffer.from('1'));
    expect(() => handOnGathered()).toThrow('a bug');
    gather(gatherer('b', told), Buffer.from('2'));
    handOnGathered();
    expect(told).toEqual(['a:1', 'b:2']);
    await turn();
  });
});

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

async function pairs(count: number): Promise<{ all: Pair[]; close: () => void }> {
  const acceptor = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(acceptor, 'listening');
  const all: Pair[] = [];
  for (let i = 0; i < count; i++) {
    const far = connect((acceptor.address() as AddressInfo).port, '127.0.0.1');
    const [near] = (await once(acceptor, 'connection')) as [Socket];
    all.push({ near, far });
  }
  return {
    all,
    close: () => {
      for (const { near, far } of all) void (near.destroy(), far.destroy());
      acceptor.close();
    },
  };
}

describe.sequential('sockets read together', () => {
  it('give each its own bytes in order, and the end after them', async () => {
    expect(await chooseReader()).toBe('push');
    await untilGathering();
    const { all, close } = await pairs(16);
    const texts: string[] = all.map(() => '');
    const ended = all.map(
      ({ near }, i) => new Promise<void>((resolve) => readFrom(near, { onBytes: (bytes) => void (texts[i] += bytes.toString()), onEnd: resolve, onClose: () => {} }).begin()),
    );
    for (let i = 0; i < 20; i++) {
      for (const [j, { far }] of all.entries()) far.write(`${j}.${i} `);
      await turn();
    }
    for (const { far } of all) far.end('last');
    await Promise.all(ended);
    expect(texts).toEqual(all.map((_, j) => `${Array.from({ length: 20 }, (_each, i) => `${j}.${i} `).join('')}last`));
    close();
  });

  /** What is told of a socket whose reads are given by hand, which the kernel does not do twice in a turn. */
  function listenTo({ near }: Pair, told: string[], onBytes: (text: string) => void = () => {}): void {
    readFrom(near, {
      onBytes: (bytes) => {
        told.push(bytes.toString());
        onBytes(bytes.toString());
      },
      onEnd: () => void told.push('end'),
      onClose: () => {},
    }).begin();
  }

  it('are told of two reads and the end in one turn in that order', async () => {
    const { all, close } = await pairs(1);
    await untilGathering();
    const told: string[] = [];
    listenTo(all[0]!, told);
    all[0]!.near.push(Buffer.from('one'));
    expect(told).toEqual([]);
    all[0]!.near.push(Buffer.from('two'));
    all[0]!.near.push(null);
    expect(told).toEqual(['one', 'two', 'end']);
    close();
  });

  it('are not told of a read once they are destroyed', async () => {
    const { all, close } = await pairs(2);
    await untilGathering();
    const told: string[] = [];
    listenTo(all[0]!, told, () => void all[1]!.near.destroy());
    listenTo(all[1]!, told);
    for (const [i, { near }] of all.entries()) near.push(Buffer.from(String(i)));
    await turn();
    expect(told).toEqual(['0']);
    close();
  });
});
