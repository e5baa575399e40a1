/** README.md: what it tells people to type works, and what it shows is what the files hold. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { root } from './tidy/sources.ts';

const run = promisify(execFile);
const text = readFileSync(join(root, 'README.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** The fenced blocks of one language. */
function blocks(language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map((match) => match[1]!);
}

const commands = blocks('sh').flatMap((block) => block.split('\n')).map((line) => line.replace(/ +#.*$/, '')).filter((line) => line !== '');

describe('README.md', () => {
  it('gives the two commands as .ci/run looks for them', () => {
    expect(commands).toEqual(expect.arrayContaining(['npm ci && npm start', 'npm ci && npm test']));
  });

  it('names no script that does not exist', () => {
    const named = [...text.matchAll(/npm run (\w+)/g)].map((match) => match[1]!);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  // The others need the demo to run; .ci/run starts that.
  it.each(commands.filter((command) => /^npm run weir -- (check|explain) /.test(command)))('"%s" works', async (command) => {
    const { stdout } = await run('sh', ['-c', command], { cwd: root });
    expect(stdout).not.toBe('');
  });

  it('shows config/web.yaml as it is', () => {
    const [shown] = blocks('yaml');
    expect(load(shown!)).toEqual(load(readFileSync(join(root, 'config/web.yaml'), 'utf8')));
  });
});
