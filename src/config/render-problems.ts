/**
 * Problems as text for a terminal or a log: place, message, code frame, what
 * was expected. Frames show the file's own text only, without values of
 * variables and secrets, also those that were written into it.
 */
import { maskSecrets } from '../shared/secret-text.ts';
import { LineTable } from './line-table.ts';
import type { Problem } from './problems.ts';

export interface RenderOptions {
  readonly color: boolean;
  /** More than these are only counted. Default 50. */
  readonly problemsMax?: number;
}

/** Characters of a line that a frame shows; a longer one is clipped around the caret. */
const FRAME_WIDTH = 100;

/** One paragraph per problem and a last line with the counts; ends with a line feed. `sources`: text by file name, frames are left out without. */
export function renderProblems(problems: readonly Problem[], sources: ReadonlyMap<string, string>, options: RenderOptions): string {
  const paint = options.color ? painted : unpainted;
  const max = options.problemsMax ?? 50;
  const tables = new Map([...sources].map(([file, text]) => [file, new LineTable(text)]));
  const parts = problems.slice(0, max).map((problem) => renderProblem(problem, tables.get(problem.file), paint));
  if (problems.length > max) parts.push(`and ${problems.length - max} more\n`);
  if (problems.length > 1) parts.push(`${countOf(problems, 'error')}, ${countOf(problems, 'warning')}\n`);
  return parts.join('\n');
}

type Style = 'error' | 'warning' | 'place' | 'frame' | 'fix';
type Paint = (style: Style, text: string) => string;

const codes: Readonly<Record<Style, string>> = { error: '31;1', warning: '33;1', place: '1', frame: '2', fix: '36' };
const painted: Paint = (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m`;
const unpainted: Paint = (_style, text) => text;

function renderProblem(problem: Problem, table: LineTable | undefined, paint: Paint): string {
  const place = paint('place', `${visible(problem.file)}:${problem.line}:${problem.column}:`);
  const lines = [`${place} ${paint(problem.severity, `${problem.severity}:`)} ${visible(problem.message)}`];
  if (table !== undefined) lines.push(...frame(problem, table, paint));
  if (problem.expected !== undefined) lines.push(`  expected: ${visible(problem.expected)}`);
  if (problem.suggestion !== undefined) lines.push(`  did you mean ${paint('fix', visible(problem.suggestion))}`);
  return lines.join('\n') + '\n';
}

/** The problem's line with a caret below, and one line before and after. */
function frame(problem: Problem, table: LineTable, paint: Paint): string[] {
  if (problem.line < 1 || problem.line > table.lineCount) return [];
  const last = Math.min(problem.line + 1, table.lineCount);
  const width = String(last).length;
  const offset = Math.max(0, problem.column - Math.floor(FRAME_WIDTH * 0.7));
  const out: string[] = [];
  for (let number = Math.max(1, problem.line - 1); number <= last; number++) {
    const isHere = number === problem.line;
    const shown = window(withoutSecrets(table.line(number)), offset);
    // The lines around are for orientation only: blank ones give none.
    if (!isHere && /^[\s…]*$/.test(shown)) continue;
    const head = paint('frame', `${isHere ? '>' : ' '} ${String(number).padStart(width)} |`);
    out.push(`${head} ${shown}`.trimEnd());
    if (isHere) out.push(`${paint('frame', `  ${' '.repeat(width)} |`)} ${' '.repeat(caretColumn(problem.column, offset))}${paint(problem.severity, '^')}`);
  }
  return out;
}

/** As long as before, so that carets fit. */
function withoutSecrets(line: string): string {
  return maskSecrets(line, (secret) => '*'.repeat(Array.from(secret).length));
}

/** Part of a line that begins at `offset` characters; an ellipsis marks each side that was cut. */
function window(line: string, offset: number): string {
  const characters = Array.from(line.length > 100_000 ? line.slice(0, offset * 2 + 1000) : line);
  const start = offset > 0 ? '…' : '';
  const end = characters.length > offset + FRAME_WIDTH || line.length > 100_000 ? '…' : '';
  return start + visible(characters.slice(offset, offset + FRAME_WIDTH).join('')) + end;
}

function caretColumn(column: number, offset: number): number {
  return column - 1 - offset + (offset > 0 ? 1 : 0);
}

/** Each control character becomes one visible one: a file must not drive the operator's terminal, and carets must fit. */
function visible(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (sign) => {
    if (sign === '\t') return ' ';
    return sign < ' ' ? String.fromCharCode(0x2400 + sign.charCodeAt(0)) : '\ufffd';
  });
}

function countOf(problems: readonly Problem[], severity: Problem['severity']): string {
  const count = problems.filter((problem) => problem.severity === severity).length;
  return `${count} ${severity}${count === 1 ? '' : 's'}`;
}
