/**
 * `npm run bench -- tls-http2`: what requests over HTTP/2 and TLS, handshakes,
 * calls of gRPC and idle connections cost the proxy, beside nginx and HAProxy.
 * bench/README.md says how to read it.
 */
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { costTable, judge, type CostResult } from '../layer4/tcp-costs.ts';
import type { Target } from '../load/targets.ts';
import { describeMachine, versionOf } from '../machine.ts';
import { findProgram, pinning, type Started } from '../processes.ts';
import { saveResult } from '../results.ts';
import { checkTarget } from './check.ts';
import { contendersOf, makeCertificate, startBehind, startContender, type Certificate } from './fronts.ts';
import { findRow, rows, type Row } from './rows.ts';
import { idleKib, startClients, turn } from './turn.ts';

/** So many turns' worth before the first one: a runtime compiles what it runs often. */
const WARM_UP = 3;
const PEER_WARM_UP = 0.2;
/** A new process each time makes a round long, memory is less noisy than time, and there are two Weirs. */
const IDLE_ROUNDS_MAX = 1;

interface Bench {
  readonly dir: string;
  readonly certificate: Certificate;
  readonly rounds: number;
  readonly beside: string | null;
  readonly versions: Set<string>;
}

export async function runTlsHttp2Bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: 'all' }, rounds: { type: 'string', default: '9' }, beside: { type: 'string' }, save: { type: 'string' } } });
  const chosen = values.rows === 'all' ? rows : values.rows.split(',').map(findRow);
  if (findProgram('h2load') === null) throw new Error('needs h2load (Debian package nghttp2-client)');
  const machine = describeMachine(pinning);
  const dir = mkdtempSync(join(tmpdir(), 'weir-http2-'));
  // nginx started by root drops to another user.
  chmodSync(dir, 0o755);
  try {
    const certificate = makeCertificate(dir);
    appendFileSync(`${certificate.certFile}.pem`, readFileSync(certificate.certFile, 'utf8') + readFileSync(certificate.keyFile, 'utf8'));
    const bench: Bench = { dir, certificate, rounds: Number(values.rounds), beside: values.beside ?? null, versions: new Set() };
    const costs: CostResult[] = [];
    for (const row of chosen) {
      costs.push(await measureRow(row, bench));
      console.log(`\n${costTable(costs.slice(-1))}`);
    }
    const versions = [...bench.versions, versionOf('h2load', '--version')];
    console.log(`\n\n${machine.cpu}, ${machine.cores} cores, ${machine.system}; ${versions.join(', ')}; ${values.rounds} rounds`);
    console.log(costTable(costs));
    const method = 'CPU time of the proxy process from the scheduler, by the requests answered; resident memory by the connections held; medians of ratios within a round; Weir is the mean of two processes, whose difference is the noise';
    console.log(`saved: ${saveResult({ kind: 'tls-http2', machine, versions, method, rounds: values.rounds, costs }, 'tls-http2', values.save ?? null)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Starts all that it needs and ends it, so that a row alone is what it is in the table. */
async function measureRow(row: Row, bench: Bench): Promise<CostResult> {
  const running: Started[] = [];
  try {
    const behind = await startBehind(row.front, bench.dir, running);
    const clients = startClients();
    running.push(clients);
    const contenders = contendersOf(row.front, bench.certificate, bench.beside);
    const begin = async (contender: (typeof contenders)[number]): Promise<Target | null> => {
      const target = await startContender(contender, behind(contender), bench.dir);
      if (target !== null) {
        running.push(target.started);
        bench.versions.add(target.version);
      }
      return target;
    };
    const costs = await (row.load.tool === 'hold' ? measureIdle(row, row.load, contenders, begin, clients, bench) : measureWork(row, contenders, begin, clients, bench));
    return judgeRow(row, costs, bench);
  } finally {
    await Promise.all(running.map((each) => each.stop()));
  }
}

type Costs = Record<string, number[]>;
type Begin<C> = (contender: C) => Promise<Target | null>;

async function measureWork<C>(row: Row, contenders: readonly C[], begin: Begin<C>, clients: Started, { rounds, dir }: Bench): Promise<Costs> {
  const targets: { readonly target: Target; readonly bodyBytes: number }[] = [];
  for (const contender of contenders) {
    const target = await begin(contender);
    if (target !== null) targets.push({ target, bodyBytes: await checkTarget(target.name, target.port, row) });
  }
  const warmUp = row.load.tool === 'handshakes' ? row.load.warmUp / row.load.count : WARM_UP;
  for (const { target, bodyBytes } of targets) await turn(target, row, bodyBytes, /weir|over|before/.test(target.name) ? warmUp : PEER_WARM_UP, clients, dir);
  const costs: Costs = Object.fromEntries(targets.map(({ target }) => [target.name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < targets.length; i++) {
      const { target, bodyBytes } = targets[(i + round) % targets.length]!;
      costs[target.name]!.push(await turn(target, row, bodyBytes, 1, clients, dir));
    }
    process.stdout.write('.');
  }
  return costs;
}

async function measureIdle<C>(row: Row, load: Extract<Row['load'], { tool: 'hold' }>, contenders: readonly C[], begin: Begin<C>, clients: Started, { rounds }: Bench): Promise<Costs> {
  const costs: Costs = {};
  for (let round = 0; round < Math.min(rounds, IDLE_ROUNDS_MAX); round++) {
    for (const contender of contenders) {
      const target = await begin(contender);
      if (target === null) continue;
      await checkTarget(target.name, target.port, row);
      (costs[target.name] ??= []).push(await idleKib(target, row, load, clients));
      await target.started.stop();
    }
    process.stdout.write('.');
  }
  return costs;
}

/** Held against one peer where the row says so; the costs of the other are told all the same. */
function judgeRow(row: Row, costs: Costs, { beside }: Bench): CostResult {
  const held = row.against === undefined || beside !== null ? costs : Object.fromEntries(Object.entries(costs).filter(([name]) => name.startsWith('weir') || name === row.against));
  return { ...judge(row, held), costs };
}
