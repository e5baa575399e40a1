/** What the tidy test asks of a file's syntax: imports, exports, functions and declared names. */
import ts from 'typescript';
import { dirname, join, normalize } from 'node:path';
import type { Source } from './sources.ts';

/** Each file is asked about several times, and parsing is what costs. */
const parsed = new WeakMap<Source, ts.SourceFile>();

function parse(source: Source): ts.SourceFile {
  const file = parsed.get(source) ?? ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ESNext, true);
  parsed.set(source, file);
  return file;
}

export interface ImportEdge {
  /** Path from the root for our own files, the specifier as written for others. */
  readonly to: string;
  readonly own: boolean;
  readonly typeOnly: boolean;
  readonly line: number;
  /** `export … from`, not `import`. */
  readonly reExport: boolean;
}

/** Static and dynamic imports, re-exports, and files named by `new URL('./x.ts', import.meta.url)`: threads and processes start so. */
export function importsOf(source: Source): ImportEdge[] {
  const file = parse(source);
  const edges: ImportEdge[] = [];
  const put = (specifier: string, at: ts.Node, typeOnly: boolean, reExport: boolean): void => {
    const own = specifier.startsWith('.');
    const to = own ? normalize(join(dirname(source.path), specifier)) : specifier;
    edges.push({ to, own, typeOnly, line: file.getLineAndCharacterOfPosition(at.getStart()).line + 1, reExport });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) put(node.moduleSpecifier.text, node, isTypeOnly(node), false);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) put(node.moduleSpecifier.text, node, node.isTypeOnly, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier && ts.isStringLiteral(specifier)) put(specifier.text, node, false, false);
    } else if (ts.isNewExpression(node) && node.expression.getText() === 'URL') {
      const [path] = node.arguments ?? [];
      if (path && (ts.isStringLiteral(path) || ts.isNoSubstitutionTemplateLiteral(path)) && /\.[tj]s$/.test(path.text)) put(path.text, node, false, false);
      // Started as .ts from a checkout and as .js from a build: the extension is filled in.
      if (path && ts.isTemplateExpression(path)) put(`${path.head.text.replace(/\.$/, '')}.ts`, node, false, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return edges;
}

function isTypeOnly(node: ts.ImportDeclaration): boolean {
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  return clause.name === undefined && named !== undefined && ts.isNamedImports(named) && named.elements.length > 0 && named.elements.every((element) => element.isTypeOnly);
}

export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** Functions, methods and arrow functions, each without the functions that tests nest (`describe`, `it` callbacks are named so by the caller). */
export function functionsOf(source: Source): FunctionSize[] {
  const file = parse(source);
  const found: FunctionSize[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const from = file.getLineAndCharacterOfPosition(node.getStart()).line;
      const to = file.getLineAndCharacterOfPosition(node.getEnd()).line;
      found.push({ name: nameOf(node), line: from + 1, lines: to - from + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** For an arrow function the name it is given, or the function it is an argument of. */
function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name) return node.name.getText();
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  if (ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent)) return node.parent.name.getText();
  if (ts.isCallExpression(node.parent)) return `argument of ${node.parent.expression.getText().slice(0, 40)}`;
  return 'a function';
}

export interface DeclaredName {
  readonly name: string;
  readonly line: number;
}

/** Names this file gives: variables, functions, classes, types, parameters, members. */
export function declaredNames(source: Source): DeclaredName[] {
  const file = parse(source);
  const names: DeclaredName[] = [];
  const visit = (node: ts.Node): void => {
    const isDeclaration =
      ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) || ts.isParameter(node);
    if (isDeclaration && node.name && ts.isIdentifier(node.name)) {
      names.push({ name: node.name.text, line: file.getLineAndCharacterOfPosition(node.name.getStart()).line + 1 });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return names;
}
