import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.ts';
import { MemoryStore } from '../../../src/control-plane/store/memory-store.ts';
import { StoreLink } from '../../../src/control-plane/store/store-link.ts';
import type { OperatorEntry, Store, StoreAnswer, StoreCall, VerdictReport } from '../../../src/control-plane/store/store.ts';
import { settle, VirtualClock } from '../../support/virtual-clock.ts';

/** A store that can be away, and says how it was called. */
class FickleStore implements Store {
  readonly #inner = new MemoryStore();
  readonly calls: StoreCall[] = [];
  away: string | null = null;
  call(call: StoreCall): Promise<StoreAnswer> {
    this.calls.push(call);
    return this.away === null ? this.#inner.call(call) : Promise.reject(new Error(this.away));
  }
  subscribe(onChange: () => void): () => void {
    return this.#inner.subscribe(onChange);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}

const clock = new VirtualClock();
const links: StoreLink[] = [];
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.stop()));
});

const report = (check: string, verdict: VerdictReport['verdict']): VerdictReport => ({ check, verdict, reason: '', atMs: 0 });
const drained: OperatorEntry = { pool: 'web', address: '1', state: 'drain', weight: null, reason: '', by: 'a', stampMs: 1 };

function linkTo(store: Store, member = 'a'): { link: StoreLink; heard: string[] } {
  const heard: string[] = [];
  const link = new StoreLink({
    store,
    member,
    clock,
    random: seededRandom(1),
    listener: {
      onVerdict: (check, value) => heard.push(`${check} ${value?.verdict ?? 'gone'}`),
      onOperatorState: (key, value) => heard.push(`${key} ${value?.state ?? 'gone'}`),
      onState: (reason) => heard.push(reason === null ? 'connected' : `away: ${reason}`),
    },
  });
  links.push(link);
  return { link, heard };
}

describe('a link', () => {
  it('brings back what was reported as the verdict, without a timer', async () => {
    const { link, heard } = linkTo(new MemoryStore());
    link.report(report('x', 'up'));
    link.putOperatorState(drained);
    await settle();
    expect(heard).toEqual(['x up', 'web 1 drain']);
  });

  it('says in one call what came up in one turn, at most 500 a call', async () => {
    const store = new FickleStore();
    const { link, heard } = linkTo(store);
    for (let i = 0; i < 1200; i++) link.report(report(`${i}`, 'up'));
    await settle();
    expect(store.calls.map(({ reports }) => reports.length).slice(0, 3)).toEqual([500, 500, 200]);
    expect(heard).toHaveLength(1200);
    expect(store.calls.map(({ number }) => number)).toEqual(store.calls.map((_, i) => i + 1));
  });

  it('hears what another member says', async () => {
    const store = new MemoryStore();
    const { link } = linkTo(store, 'a');
    const { heard } = linkTo(store, 'b');
    link.report(report('x', 'down'));
    await settle();
    expect(heard).toEqual(['x down']);
  });
});

describe('away', () => {
  it('is said once, and this member goes by its own eyes meanwhile', async () => {
    const store = new FickleStore();
    store.away = 'connection refused';
    const { link, heard } = linkTo(store);
    link.report(report('x', 'up'));
    await settle();
    expect(link.awayReason).toBe('connection refused');
    link.report(report('x', 'down'));
    link.putOperatorState(drained);
    await clock.advance(5000);
    expect(heard.filter((line) => line.startsWith('away'))).toHaveLength(1);
    expect(heard).toContain('x up');
    expect(heard).toContain('x down');
    expect(heard).toContain('web 1 drain');
    expect(store.calls.length).toBeGreaterThan(2);
    expect(store.calls.length).toBeLessThan(100);
  });

  it('ends with the first good answer, and nothing said meanwhile is lost', async () => {
    const store = new FickleStore();
    store.away = 'slow';
    const { link, heard } = linkTo(store);
    link.report(report('x', 'up'));
    await settle();
    link.report(report('x', 'down'));
    store.away = null;
    await clock.advance(1001);
    expect(link.awayReason).toBeNull();
    expect(heard).toContain('connected');
    const { heard: other } = linkTo(store, 'b');
    link.report(report('y', 'up'));
    await settle();
    expect(other.sort()).toEqual(['x down', 'y up']);
  });
});
