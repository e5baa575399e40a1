/** A proxy under measurement: the real process with the loop probe in it, and what each thing done to it cost. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { WeirProcess } from '../../test/support/weir-process.ts';
import type { ProbeReport, ThreadReport } from './loop-probe.ts';

/** What goes on behind an answer (compiling, collecting, a thread's end) counts too. */
const SETTLE_MS = 700;
const probe = new URL('./loop-probe.ts', import.meta.url).href;

/** One thing done: its price in CPU of the whole process, and how its loops fared. */
export interface Cost {
  readonly cpuMs: number;
  readonly threads: readonly ThreadReport[];
}

export class MeasuredProxy implements AsyncDisposable {
  readonly start: Cost;
  readonly #weir: WeirProcess;
  readonly #socket: string;

  private constructor(weir: WeirProcess, socket: string, first: ProbeReport) {
    this.#weir = weir;
    this.#socket = socket;
    this.start = { cpuMs: first.cpuMs, threads: first.threads };
  }

  /** Two workers; `folder` is removed at the end. */
  static async start(yaml: string, folder: string): Promise<MeasuredProxy> {
    const socket = join(folder, 'probe');
    const weir = await WeirProcess.start(yaml, { folder, args: ['--no-watch'], env: { SCALE_PROBE: socket, NODE_OPTIONS: `--import=${probe}` } });
    await pause(SETTLE_MS);
    return new MeasuredProxy(weir, socket, await ask(socket));
  }

  /** `expected`: the log line that must come of it. */
  async reload(yaml: string, expected: 'config runs' | 'config refused, the former one goes on'): Promise<Cost> {
    return this.#cost(async () => {
      await writeFile(this.#weir.file, yaml);
      const { text } = await this.#weir.reloadBy(() => this.#weir.signal('SIGHUP'));
      if (text !== expected) throw new Error(`${expected} was expected of this reload, and "${text}" came`);
    });
  }

  async get(path: string): Promise<Cost & { readonly bytes: number }> {
    let bytes = 0;
    const cost = await this.#cost(async () => {
      const answer = await this.#weir.admin(path);
      if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status}`);
      bytes = answer.body.length;
    });
    return { ...cost, bytes };
  }

  async rssMiB(): Promise<number> {
    return (await ask(this.#socket)).rssMiB;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#weir.stop();
  }

  async #cost(run: () => Promise<void>): Promise<Cost> {
    const before = await ask(this.#socket);
    await run();
    await pause(SETTLE_MS);
    const { cpuMs, threads } = await ask(this.#socket);
    return { cpuMs: cpuMs - before.cpuMs, threads };
  }
}

async function ask(socket: string): Promise<ProbeReport> {
  const connection = connect(socket);
  let text = '';
  connection.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(connection, 'end');
  return JSON.parse(text) as ProbeReport;
}
