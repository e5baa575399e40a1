/** The pieces of config in these documents are right: completed to whole files, they load. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { root } from '../tidy/sources.ts';

const DOCUMENTS = ['access-log.md', 'balancing.md', 'health.md', 'layer4.md', 'rate-limits.md', 'running.md', 'tier.md', 'udp.md'];
/** What a piece may lack: that is what makes it one. */
const LACKS = /is not a pool of this config|^no listeners|no route leads to this pool|has neither routes nor a pool|there is no such file/;
/** Files that a piece names. */
const FILES = { 'own-balancer.js': 'export default {};', 'checks/lag.sh': '#!/bin/sh\n' };

interface Snippet {
  readonly name: string;
  readonly text: string;
}

function snippetsOf(document: string): Snippet[] {
  const text = readFileSync(join(root, 'docs', document), 'utf8');
  return [...text.matchAll(/^( *)```yaml\n([^]*?)^ *```/gm)].map((match, i) => ({ name: `${document} ${i + 1}`, text: whole(match[2]!.replaceAll(new RegExp(`^${match[1]!}`, 'gm'), '')) }));
}

/** A piece of a pool or of a listener gets one around it. */
function whole(piece: string): string {
  const [key] = piece.split(':') as [string];
  const indented = piece.replaceAll(/^(?=.)/gm, '    ');
  if (key === 'health' || key === 'algorithm') return `pools:\n  any:\n    backends: [10.0.0.1:80]\n${indented}`;
  return key === 'routes' ? `listeners:\n  any:\n    bind: ":8080"\n${indented}` : piece;
}

const snippets = DOCUMENTS.flatMap(snippetsOf);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-snippets-'));
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text, { mode: 0o700 });
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test('there are some of each document', () => {
  expect([...new Set(snippets.map(({ name }) => name.split(' ')[0]))]).toEqual(DOCUMENTS);
});

test.each(snippets)('$name', async ({ text }) => {
  const file = join(folder, 'weir.yaml');
  writeFileSync(file, text);
  const { problems } = await loadConfig(file);
  expect(problems.filter(({ message }) => !LACKS.test(message)).map(({ line, message }) => `${line}: ${message}`)).toEqual([]);
});
