/** The thread behind load-in-thread.ts: loads the config that its workerData names, answers once, ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { encodeSnapshot } from '../shared/snapshot-codec.ts';
import { loadConfig, loadConfigText } from './load-config.ts';
import type { LoadRequest, ThreadLoad } from './load-in-thread.ts';
import { renderProblems } from './render-problems.ts';

const { file, bytes, options, color, wantsEffective } = workerData as LoadRequest;
const loaded = bytes === null ? await loadConfig(file, options) : loadConfigText(bytes, file, options);
const answer: ThreadLoad = {
  encoded: loaded.snapshot === null ? null : encodeSnapshot(loaded.snapshot),
  problems: loaded.problems,
  rendered: renderProblems(loaded.problems, loaded.sources, { color }),
  text: loaded.sources.get(file) ?? null,
  sha: loaded.sha,
  effectiveSha: loaded.effectiveSha,
  secretFiles: loaded.secretFiles,
  effective: wantsEffective ? loaded.effective() : null,
};
parentPort!.postMessage(answer);
