/** The engine's table as it is pasted. */
import { describe, expect, it } from 'vitest';
import { engineReport, engineTable } from '../../../bench/engine/report.ts';
import { findRow } from '../../../bench/engine/rows.ts';
import { judge, type Turn } from '../../../bench/engine/verdict.ts';

const turn = (contender: string, cost: number, more: Partial<Turn> = {}): Turn => ({ contender, repetition: 0, cost, busy: 0.81, others: 0.02, requestsPerSecond: 1000, errors: 0, ...more });

describe('the table', () => {
  it('has one line a row, with the peers in the order of the row', () => {
    const result = judge(findRow('small'), [turn('weir', 11), turn('weir again', 11.22), turn('nginx', 12), turn('haproxy', 13)]);
    expect(engineTable([result]).split('\n')).toEqual([
      '| work | unit | Weir | peers | figure (lowest–highest) | against | at most | verdict | noise | busy | others | errors |',
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
      '| keep-alive, small answer | µs/request | 11.1 | nginx 12.0; haproxy 13.0 | **0.93** (0.93–0.93) | nginx | 0.95 | pass | 2.0 % | 81 %–81 % | 2 % | 0 |',
    ]);
  });

  it('names both ends of a growth', () => {
    const result = judge(findRow('growth-routes'), [turn('weir, small', 10), turn('weir, large', 12)]);
    expect(engineTable([result])).toContain('| small 10.0; large 12.0 | – | **1.20** (1.20–1.20) | its own growth | 1.1 | fail | – |');
  });

  it('gives a rejected row no pass', () => {
    const result = judge(findRow('small'), [turn('weir', 1, { errors: 2 }), turn('haproxy', 13)]);
    expect(engineTable([result])).toContain('| rejected | – | 81 %–81 % | 2 % | 2 |');
  });

  it('marks noise', () => {
    const result = judge(findRow('small'), [turn('weir', 10), turn('weir again', 11), turn('haproxy', 13)]);
    expect(engineTable([result])).toContain('| pass, noisy | 10.0 % |');
  });
});

describe('the report', () => {
  it('says where and how it was measured', () => {
    const machine = { cpu: 'a CPU', cores: 2, memoryGiB: 24, system: 'Linux', runtime: 'Node 26', pinned: false, loadAtStart: 0.5, when: '' };
    const text = engineReport({ machine, versions: { nginx: 'nginx/1' }, rounds: 7, seconds: 0.7, rows: [] });
    expect(text).toContain('a CPU, 2 cores, 24 GiB, Linux; NOT pinned');
    expect(text).toContain('nginx/1. 7 interleaved rounds of 0.7 s');
  });
});
