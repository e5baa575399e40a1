/**
 * One engine with a listener per origin: the raw recorder, which shows what was
 * really sent, Node, and those of nginx and HAProxy that this machine has. The
 * same bytes go through each.
 */
import { connect } from 'node:net';
import { Engine, makeListener, makePool } from '../../support/engine.ts';
import { freePort } from '../../support/free-port.ts';
import { NodeRecorder } from './node-recorder.ts';
import { commandOf, peerNames, startPeer, type PeerProcess } from './peer-processes.ts';
import { RawRecorder, type Recorder } from './raw-recorder.ts';
import type { ReadRequest } from './reading.ts';

/** Only so that a run ends where an answer never comes: that is a finding. */
const STUCK_AFTER_MS = 10_000;
/** A timer that fires later than this was not kept waiting by others alone. */
const LATE_MS = 1000;

export interface Seen {
  /** What the client was answered, with the statuses it found; "stuck" in it is a finding. */
  readonly statuses: readonly string[];
  readonly requests: readonly ReadRequest[];
  /** Whether a well-formed request that came next, on another connection, was the next that the origin saw. */
  readonly isCanaryNext: boolean;
}

export interface Origin {
  readonly name: string;
  readonly port: number;
  readonly recorder: Recorder;
}

export class PeerRig {
  readonly origins: Origin[] = [];
  /** Peers that are not there. */
  readonly missing: string[] = [];
  readonly #stops: (() => void | Promise<void>)[] = [];
  #canaries = 0;

  static async start(): Promise<PeerRig> {
    const rig = new PeerRig();
    const behind: { name: string; port: number; recorder: Recorder }[] = [];
    const raw = await RawRecorder.start();
    const node = await NodeRecorder.start();
    behind.push({ name: 'sent', port: raw.port, recorder: raw }, { name: 'node', port: node.port, recorder: node });
    for (const name of peerNames) {
      const command = commandOf(name);
      if (command === null) {
        rig.missing.push(name);
        continue;
      }
      const recorder = await RawRecorder.start();
      const peer: PeerProcess = await startPeer(name, command, recorder.port);
      rig.#stops.push(() => peer.stop());
      behind.push({ name, port: peer.port, recorder });
    }
    const ports: number[] = [];
    for (const { recorder } of behind) {
      ports.push(await freePort());
      rig.#stops.push(() => recorder.stop());
    }
    const engine = await Engine.start(
      behind.map(({ name }, i) => makeListener(ports[i]!, { name, routes: [{ action: { kind: 'pool', pool: name } }] })),
      behind.map(({ name, port }) => makePool([port], { name })),
    );
    rig.#stops.unshift(() => engine.stop());
    behind.forEach(({ name, recorder }, i) => rig.origins.push({ name, port: ports[i]!, recorder }));
    return rig;
  }

  /** Sends `input` to each origin and tells what each saw. */
  async send(input: Buffer): Promise<Map<string, Seen>> {
    const seen = await Promise.all(this.origins.map((origin) => this.#sendTo(origin, input)));
    return new Map(this.origins.map(({ name }, i) => [name, seen[i]!]));
  }

  async #sendTo({ port, recorder }: Origin, input: Buffer): Promise<Seen> {
    recorder.seen.length = 0;
    const answer = await visit(port, input);
    const requests = recorder.seen.splice(0);
    const path = `/canary-${++this.#canaries}`;
    const canaryAnswer = await visit(port, Buffer.from(`GET ${path} HTTP/1.1\r\nHost: canary\r\n\r\n`));
    const next = recorder.seen.splice(0);
    const isCanaryNext = next.length === 1 && next[0]!.target === path && next[0]!.body === '' && canaryAnswer.startsWith('HTTP/1.1 200 ');
    return { statuses: [...answer.matchAll(/HTTP\/1\.1 (\d{3}|stuck)/g)].map((match) => match[1]!), requests, isCanaryNext };
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) await stop();
  }
}

/** Sends all, shuts down, and reads to the end. */
function visit(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let answer = '';
    let late: NodeJS.Timeout;
    const wait = (): void => {
      const dueMs = performance.now() + STUCK_AFTER_MS;
      late = setTimeout(() => {
        // This process was suspended meanwhile: what came since has to be read first.
        if (performance.now() - dueMs > LATE_MS) return wait();
        answer += 'HTTP/1.1 stuck';
        socket.destroy();
      }, STUCK_AFTER_MS);
    };
    wait();
    socket.on('data', (part: Buffer) => (answer += part.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      resolve(answer);
    });
    socket.end(bytes);
  });
}
