/** The names of a test file's tests as its source gives them, without running it. */
import ts from 'typescript';
import type { Source } from '../tidy/sources.ts';

export interface NamedTest {
  /** Titles of the groups around it, the outermost first. */
  readonly groups: readonly string[];
  readonly name: string;
}

/**
 * Every `it` and `test`. Of a table there is one for each row if the rows are
 * written out in the same file; otherwise one, by its title as written.
 */
export function testsOf(source: Source): NamedTest[] {
  const file = ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ESNext, true);
  const found: NamedTest[] = [];
  const visit = (node: ts.Node, groups: readonly string[]): void => {
    const call = ts.isCallExpression(node) ? titled(node) : null;
    if (call !== null && call.word !== 'describe') {
      for (const name of rowNames(file, call)) found.push({ groups, name });
      return;
    }
    for (const inside of call === null ? [groups] : rowNames(file, call).map((title) => [...groups, title])) ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(file, []);
  return found;
}

interface TitledCall {
  readonly word: string;
  readonly title: string;
  /** Argument of `.each`, or null. */
  readonly table: ts.Expression | null;
}

/** `it('title', …)`, `describe('title', …)`, `it.each(table)('title', …)`; null for any other call. */
function titled(call: ts.CallExpression): TitledCall | null {
  const [first] = call.arguments;
  if (first === undefined || !ts.isStringLiteralLike(first)) return null;
  const callee = call.expression;
  if (ts.isIdentifier(callee) && isWord(callee.text)) return { word: callee.text, title: first.text, table: null };
  if (!ts.isCallExpression(callee) || !ts.isPropertyAccessExpression(callee.expression) || callee.expression.name.text !== 'each') return null;
  const word = callee.expression.expression.getText();
  return isWord(word) ? { word, title: first.text, table: callee.arguments[0] ?? null } : null;
}

function isWord(word: string): boolean {
  return word === 'it' || word === 'test' || word === 'describe';
}

function rowNames(file: ts.SourceFile, { title, table }: TitledCall): string[] {
  const rows = table === null ? null : arrayOf(file, table);
  if (rows === null) return [title];
  return rows.map((row) => {
    const cells = arrayOf(file, row) ?? [row];
    let next = 0;
    return title.replaceAll(/%[sji]/g, (placeholder) => textOf(cells[next++]) ?? placeholder);
  });
}

/** Elements of an array that is written out, here or where the name was declared. */
function arrayOf(file: ts.SourceFile, expression: ts.Expression): readonly ts.Expression[] | null {
  if (ts.isAsExpression(expression)) return arrayOf(file, expression.expression);
  if (ts.isArrayLiteralExpression(expression)) return expression.elements.some(ts.isSpreadElement) ? null : expression.elements;
  if (!ts.isIdentifier(expression)) return null;
  let declared: ts.Expression | undefined;
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.name.getText() === expression.text) declared ??= node.initializer;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return declared === undefined ? null : arrayOf(file, declared);
}

function textOf(cell: ts.Expression | undefined): string | null {
  return cell !== undefined && (ts.isStringLiteralLike(cell) || ts.isNumericLiteral(cell)) ? cell.text : null;
}
