/** The repository as the tidy test sees it: its own files, without what tools put there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git', 'local']);

export interface Source {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [relative(root, path)];
  });
}

/** Every file of the repository. */
export const allPaths: readonly string[] = walk(root).sort();

const TEXT = /\.(ts|js|md|ya?ml|json|template|lua|html|css|service)$|(^|\/)(run|Dockerfile|\.dockerignore|\.gitignore)$/;
const GENERATED = new Set(['package-lock.json', 'config/schema.json']);

/** Text files people write. */
export const textFiles: readonly Source[] = allPaths
  .filter((path) => TEXT.test(path) && !GENERATED.has(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

export const typescriptFiles: readonly Source[] = textFiles.filter(({ path }) => path.endsWith('.ts'));

export const productFiles: readonly Source[] = typescriptFiles.filter(({ path }) => path.startsWith('src/'));

export const markdownFiles: readonly Source[] = textFiles.filter(({ path }) => path.endsWith('.md'));

/** Line number, from 1, of a place in a text. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
