/** The two differential runs: the same bytes to us and to others, every difference classified. */
import type { Random } from '../../../src/base/random.ts';
import { generateRequests } from './generate.ts';
import { classifyNode } from './node-classes.ts';
import { NodeOrigin } from './node-origin.ts';
import { readAsWeDo } from './our-reading.ts';
import { classifyPeer } from './peer-classes.ts';
import { PeerRig } from './peer-rig.ts';
import { checkSent } from './sent-classes.ts';

export interface Unexplained {
  readonly input: Buffer;
  readonly text: string;
}

export interface DifferentialRun {
  readonly inputs: number;
  /** Requests that both sides, or the origins, were to see. */
  readonly accepted: number;
  /** How often each explained class was met. */
  readonly classes: ReadonlyMap<string, number>;
  readonly unexplained: readonly Unexplained[];
  /** Peers that were not there. */
  readonly missing: readonly string[];
}

export interface DifferentialTarget {
  readonly name: string;
  /** First `corpus`, then generated inputs until `isOver`. */
  readonly run: (corpus: readonly Buffer[], random: Random, isOver: (inputs: number) => boolean) => Promise<DifferentialRun>;
}

const UNEXPLAINED_MAX = 20;

class Tally implements DifferentialRun {
  inputs = 0;
  accepted = 0;
  readonly classes = new Map<string, number>();
  readonly unexplained: Unexplained[] = [];
  readonly missing: readonly string[];

  constructor(missing: readonly string[]) {
    this.missing = missing;
  }

  add(input: Buffer, accepted: number, found: readonly string[]): void {
    this.inputs++;
    this.accepted += accepted;
    for (const text of found) {
      if (text.includes(' ')) this.unexplained.push({ input, text });
      else this.classes.set(text, (this.classes.get(text) ?? 0) + 1);
    }
  }

  get isFull(): boolean {
    return this.unexplained.length >= UNEXPLAINED_MAX;
  }
}

function* inputsOf(corpus: readonly Buffer[], random: Random, isOver: (inputs: number) => boolean): Generator<Buffer> {
  yield* corpus;
  for (let inputs = 0; !isOver(inputs); inputs++) yield generateRequests(random);
}

const nodeParser: DifferentialTarget = {
  name: 'node-parser',
  async run(corpus, random, isOver) {
    const origin = await NodeOrigin.start();
    const tally = new Tally([]);
    try {
      for (const input of inputsOf(corpus, random, isOver)) {
        if (tally.isFull) break;
        const ours = readAsWeDo(input);
        const theirs = await origin.read(input);
        const found = classifyNode(input, ours, theirs);
        tally.add(input, Math.min(ours.requests.length, theirs.requests.length), found === null ? [] : [found]);
      }
    } finally {
      origin.stop();
    }
    return tally;
  },
};

const peers: DifferentialTarget = {
  name: 'peers',
  async run(corpus, random, isOver) {
    const rig = await PeerRig.start();
    const tally = new Tally(rig.missing);
    try {
      for (const input of inputsOf(corpus, random, isOver)) {
        if (tally.isFull) break;
        const seen = await rig.send(input);
        const sent = seen.get('sent')!;
        const found = checkSent(readAsWeDo(input, false), sent);
        for (const [name, each] of seen) if (name !== 'sent') found.push(...classifyPeer(name, sent.requests, each, input.toString('latin1')));
        tally.add(input, sent.requests.length, found);
      }
    } finally {
      await rig.stop();
    }
    return tally;
  },
};

export const differentialTargets: readonly DifferentialTarget[] = [nodeParser, peers];
