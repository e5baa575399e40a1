/** Paths of this repository that a text names: in links, in code spans, in comments. */
import { lineAt, type Source } from './sources.ts';

export interface NamedPath {
  readonly path: string;
  readonly line: number;
}

const FOLDERS = 'src|test|bench|config|docs|\\.ci';
const LINK = /\]\((?!\w+:|#)([^)#\s]+)(?:#[^)]*)?\)/g;
/** Not preceded by what makes it part of a longer path or an address. */
const PATH = new RegExp(`(?<![\\w./@:-])(?:${FOLDERS})/[\\w./-]*[\\w/]`, 'g');

/** Of a comment or a paragraph; patterns (`*`), placeholders (`NAME`, `…`) and what git does not keep are left out. */
export function pathsNamedIn(source: Source): NamedPath[] {
  const isMarkdown = source.path.endsWith('.md');
  const text = isMarkdown ? source.text : commentsOnly(source.text);
  const links = isMarkdown ? [...text.matchAll(LINK)].map((match) => ({ path: match[1]!, index: match.index })) : [];
  const paths = [...text.matchAll(PATH)].filter((match) => !isPattern(text, match)).map((match) => ({ path: match[0], index: match.index }));
  return [...links, ...paths].filter(({ path }) => !path.startsWith('bench/results/local')).map(({ path, index }) => ({ path, line: lineAt(text, index) }));
}

/** `src/*.ts`, `config/NAME.yaml`, `src/{a,b}`, `test/<path>`. */
function isPattern(text: string, match: RegExpExecArray): boolean {
  const next = text.slice(match.index + match[0].length, match.index + match[0].length + 2);
  return /^[/.]?[*<{[…$]/.test(next) || /(^|\/)[A-Z]{3,}(\.\w+)?$/.test(match[0].replace(/\/(README|ARCHITECTURE|LICENSE)(\.md)?$/, ''));
}

/** The same text with everything but comments blanked, so that line numbers stay. */
function commentsOnly(text: string): string {
  let rest = '';
  let last = 0;
  for (const match of text.matchAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm)) {
    rest += text.slice(last, match.index).replaceAll(/[^\n]/g, ' ') + match[0];
    last = match.index + match[0].length;
  }
  return rest + text.slice(last).replaceAll(/[^\n]/g, ' ');
}
