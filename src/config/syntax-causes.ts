/**
 * What the parser says about broken YAML → what the operator did. The parser
 * names the rule that broke, often lines after the cause ("missed comma"); an
 * operator needs the cause and the fix ("quote it").
 */
import type { ProblemHints } from './problems.ts';

export interface SyntaxCause {
  /** Offset of the cause; never after the place where the parser stopped. */
  readonly at: number;
  readonly message: string;
  readonly hints: ProblemHints;
}

/** The place where the parser stopped, cut up for the explanations below. */
interface Stop {
  readonly text: string;
  readonly at: number;
  readonly reason: string;
  readonly lineStart: number;
  /** From the line's start to the stop. */
  readonly before: string;
  /** From the stop to the end of its line. */
  readonly after: string;
}

/** Explains a parser's error at offset `at`. */
export function explainSyntaxError(text: string, at: number, reason: string): SyntaxCause {
  const lineStart = startOfLine(text, at);
  const stop: Stop = { text, at, reason, lineStart, before: text.slice(lineStart, at), after: text.slice(at, endOfLine(text, at)) };
  for (const explain of explanations) {
    const cause = explain(stop);
    if (cause !== null) return cause;
  }
  return { at, message: `broken YAML: ${reason}`, hints: {} };
}

/** A reference to an anchor that does not exist: nearly always a pattern that lacks its quotes. */
export function explainAlias(name: string): { message: string; hints: ProblemHints } {
  const shown = `*${name.replace(/:$/, '')}`;
  if (/[.*/?]/.test(name) || name === '') {
    return { message: `\`${clip(shown)}\` needs quotes: unquoted, \`*\` begins a reference to an anchor`, hints: { suggestion: quote(shown) } };
  }
  return {
    message: `there is no anchor \`&${clip(name)}\` above for \`${clip(shown)}\` to refer to`,
    hints: { expected: `\`&${clip(name)}\` before a value further up, or quotes: ${quote(shown)}` },
  };
}

/** `[::1]:8080` at `at`, whole; null if something else stands there. */
export function bracketedAddressAt(text: string, at: number): string | null {
  const address = /\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?\]:\s?[0-9]+/y;
  address.lastIndex = at;
  return address.exec(text)?.[0].replace(/\s/, '') ?? null;
}

type Explanation = (stop: Stop) => SyntaxCause | null;

/** The first that fits is taken: the surest first. */
const explanations: readonly Explanation[] = [
  tabIndentation,
  variableInFlow,
  bracketedAddress,
  unquotedStar,
  tag,
  unknownEscape,
  controlCharacter,
  badStart,
  textAfterQuote,
  textAfterBracket,
  unclosed,
  flowIndicatorInValue,
  colonInValue,
  keyWithoutColon,
  indentation,
  byReason,
];

function tabIndentation({ text, at, reason, lineStart, before }: Stop): SyntaxCause | null {
  const line = text.slice(lineStart, endOfLine(text, at));
  const blank = /^[ \t]*/.exec(line)?.[0] ?? '';
  const tab = blank.indexOf('\t');
  const offset = tab !== -1 ? lineStart + tab : reason.startsWith('tab characters') ? lineStart + Math.max(0, before.indexOf('\t')) : -1;
  if (offset === -1) return null;
  return { at: offset, message: 'a tab stands in the indentation', hints: { expected: 'spaces: YAML does not allow tabs there' } };
}

function variableInFlow({ text, at, lineStart, before }: Stop): SyntaxCause | null {
  if (text[at] !== '{' || text[at - 1] !== '$') return null;
  const start = lineStart + (/[^\s,[\]{}"']*$/.exec(before)?.index ?? before.length);
  const rest = /^\{[^}\r\n]*\}?[^\s,[\]{}]*/.exec(text.slice(at, at + 500))?.[0] ?? '';
  const whole = (text.slice(start, at) + rest).replace(/:$/, '');
  return {
    at: start,
    message: `\`${clip(whole)}\` needs quotes inside {} or []`,
    hints: { expected: 'quotes, which make it text; for a number or boolean, a line of its own outside of {} and []', suggestion: quote(whole) },
  };
}

function bracketedAddress({ text, at, lineStart }: Stop): SyntaxCause | null {
  for (let open = text.lastIndexOf('[', at); open >= lineStart; open = text.lastIndexOf('[', open - 1)) {
    const address = bracketedAddressAt(text, open);
    if (address !== null && open + address.length >= at) {
      return { at: open, message: 'an address in brackets needs quotes: brackets begin a list', hints: { suggestion: quote(address) } };
    }
    if (open === 0) break;
  }
  return null;
}

function unquotedStar({ lineStart, before }: Stop): SyntaxCause | null {
  const star = /(?:^|[\s,[{])(\*[^\s,[\]{}]*)\s*$/.exec(before);
  if (star?.[1] === undefined) return null;
  const { message, hints } = explainAlias(star[1].slice(1));
  return { at: lineStart + before.lastIndexOf(star[1]), message, hints };
}

function tag({ at, reason, lineStart, before, after }: Stop): SyntaxCause | null {
  if (!/\btag\b/.test(reason)) return null;
  const start = lineStart + (/\S*$/.exec(before)?.index ?? before.length);
  const shown = (before + after).slice(start - lineStart).split(/\s/, 1)[0] ?? '';
  if (start > at) return null;
  return { at: start, message: `\`${clip(shown)}\` is a YAML tag; tags are not used here`, hints: { expected: 'quotes, if the value begins with an exclamation mark' } };
}

function unknownEscape({ text, at, reason }: Stop): SyntaxCause | null {
  if (reason !== 'unknown escape sequence' && reason !== 'expected hexadecimal character') return null;
  const slash = text.lastIndexOf('\\', at);
  return {
    at: slash,
    message: `\`${text.slice(slash, slash + 2)}\` is no escape that double quotes know`,
    hints: { expected: 'single quotes, in which a backslash is a backslash, or two backslashes' },
  };
}

function controlCharacter({ text, at, reason }: Stop): SyntaxCause | null {
  if (reason !== 'the stream contains non-printable characters' && reason !== 'expected valid JSON character') return null;
  const code = (text.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return { at, message: `the control character U+${code} may not stand in YAML`, hints: { expected: `an escape in double quotes: "\\u${code}"` } };
}

function badStart({ at, before, after }: Stop): SyntaxCause | null {
  if (!/(?:[:\-?,[{]\s+|^\s*|[[{])$/.test(before)) return null;
  if (/^[@`%]/.test(after)) {
    const value = /^[^,[\]{}#]*/.exec(after)?.[0].trimEnd() ?? after;
    return { at, message: `an unquoted value cannot begin with ${after[0]}`, hints: { suggestion: quote(value) } };
  }
  if (/^[\]},]/.test(after)) return { at, message: `\`${after[0]}\` closes or separates nothing here`, hints: { expected: 'a value, or quotes around one that begins so' } };
  if (/^- /.test(after) && /:\s+$/.test(before)) return { at, message: 'a list cannot begin in the line of its key', hints: { expected: 'the list in the next line, or [a, b]' } };
  return null;
}

function textAfterQuote({ at, before, after, lineStart }: Stop): SyntaxCause | null {
  const quoted = /(["'])[^"']*\1\s*$/.exec(before);
  if (quoted === null || !/^[^\s,\]}:#]/.test(after)) return null;
  return { at: Math.min(at, lineStart + before.length), message: 'text follows a closing quote', hints: { expected: 'a comma, a line end, or the whole value in one pair of quotes' } };
}

/** `[a-z]+`: what begins with a bracket is a list or map up to the closing one. */
function textAfterBracket({ lineStart, before, after }: Stop): SyntaxCause | null {
  const bracketed = /(?:^|[\s,[{])(\[[^[\]]*\]|\{[^{}]*\})$/.exec(before)?.[1];
  const rest = /^[^\s,\]}:#]+/.exec(after)?.[0];
  if (bracketed === undefined || rest === undefined) return null;
  return { at: lineStart + before.length - bracketed.length, message: 'a value that begins with a bracket needs quotes', hints: { suggestion: quote(bracketed + rest) } };
}

/** A quote or bracket still open where a line of the outer structure begins, or at the end. */
function unclosed({ text, at, reason }: Stop): SyntaxCause | null {
  if (reason !== 'deficient indentation' && !reason.startsWith('unexpected end of')) return null;
  // Lines are read from the nearest backwards: the first that leaves something open is the cause.
  let end = at === text.length ? at : startOfLine(text, at);
  for (let lines = 0; end > 0 && lines < 1000; lines++) {
    const start = startOfLine(text, end === at && text[end - 1] !== '\n' ? end : end - 1);
    const open = openAtEnd(text.slice(start, end));
    if (open !== null) {
      const sign = text[start + open] ?? '';
      const isQuote = sign === '"' || sign === "'";
      const closing = isQuote ? `the closing \`${sign}\`` : `\`${sign === '[' ? ']' : '}'}\`, or lines indented deeper than the key it belongs to`;
      return { at: start + open, message: `\`${sign}\` is not closed`, hints: { expected: closing } };
    }
    end = start;
  }
  return null;
}

/** Offset of the innermost quote or bracket that a line of YAML leaves open; null: none. */
function openAtEnd(line: string): number | null {
  const brackets: number[] = [];
  for (let i = 0; i < line.length; i++) {
    const sign = line[i] ?? '';
    const atStart = i === 0 || /[\s,[{:]/.test(line[i - 1] ?? '');
    if ((sign === '"' || sign === "'") && atStart) {
      const close = closingQuote(line, i);
      if (close === -1) return i;
      i = close;
    } else if (sign === '#' && (i === 0 || /\s/.test(line[i - 1] ?? ''))) {
      break;
    } else if ((sign === '[' || sign === '{') && (atStart || brackets.length > 0)) {
      brackets.push(i);
    } else if (sign === ']' || sign === '}') {
      brackets.pop();
    }
  }
  return brackets.at(-1) ?? null;
}

function closingQuote(line: string, open: number): number {
  const sign = line[open];
  for (let i = open + 1; i < line.length; i++) {
    if (sign === '"' && line[i] === '\\') i++;
    else if (line[i] === sign) {
      if (sign === "'" && line[i + 1] === "'") i++;
      else return i;
    }
  }
  return -1;
}

function flowIndicatorInValue({ at, reason, lineStart, before, after }: Stop): SyntaxCause | null {
  if (reason !== 'missed comma between flow collection entries') return null;
  const token = /[^\s,[\]{}"']+$/.exec(before);
  if (/^[[{]/.test(after) && token !== null) {
    const value = token[0] + (/^[^\s,]*/.exec(after)?.[0] ?? '').replace(/[\s}\]]+$/, '');
    return { at: lineStart + token.index, message: `a value with \`${after[0]}\` needs quotes inside {} or []`, hints: { suggestion: balanced(value) ? quote(value) : undefined } };
  }
  return { at, message: 'a comma is missing inside {} or []', hints: { expected: 'a comma, the closing bracket, or quotes around a value with any of [ ] { } ,' } };
}

function balanced(value: string): boolean {
  return value.split('[').length === value.split(']').length && value.split('{').length === value.split('}').length;
}

/** `a: b: c`: the second colon would begin a map inside a value. */
function colonInValue({ at, before, after }: Stop): SyntaxCause | null {
  if (!/^:(?:\s|$)/.test(after)) return null;
  const pair = /^(\s*(?:- +)*[^\s"'#][^"'#]*?: +)(\S.*)$/.exec(before);
  if (pair?.[1] === undefined || pair[2] === undefined) return null;
  return { at, message: 'an unquoted value cannot hold a colon followed by a space', hints: { suggestion: quote((pair[2] + after).trimEnd()) } };
}

/** The key above the stop has no `: `, so that the parser took both lines for one text. */
function keyWithoutColon({ text, reason, lineStart, after }: Stop): SyntaxCause | null {
  const isRunOn = reason.startsWith('can not read a block mapping entry') || (/^(?:end of the stream|bad indentation)/.test(reason) && after.startsWith(':'));
  if (reason === "expected ':' after a mapping key") return { at: lineStart + leadingBlanks(text, lineStart), message: 'this key has no colon', hints: { expected: 'a key, a colon and a space' } };
  if (!isRunOn || lineStart === 0) return null;
  const above = startOfLine(text, lineStart - 1);
  const line = text.slice(above, endOfLine(text, above)).trim();
  if (line === '' || /^[-#"']|:$|: /.test(line)) return null;
  const glued = /^([\w.-]+):(\S.*)$/.exec(line);
  return {
    at: above + leadingBlanks(text, above),
    message: glued === null ? 'this line is neither a key with a colon nor part of a list' : 'a space is missing after the colon',
    hints: glued === null ? { expected: 'a key, a colon and a space' } : { suggestion: `${glued[1]}: ${glued[2]}` },
  };
}

function indentation({ text, at, reason, lineStart, before, after }: Stop): SyntaxCause | null {
  if (!reason.startsWith('bad indentation') && !reason.startsWith('end of the stream')) return null;
  const first = lineStart + leadingBlanks(text, lineStart);
  const spaces = first - lineStart;
  if (before.trim() === '' || (after.startsWith(':') && !/\s/.test(before.trim()))) {
    return {
      at: Math.min(first, at),
      message: `this line is indented by ${spaces} ${spaces === 1 ? 'space' : 'spaces'}, which fits no line above`,
      hints: { expected: 'the same indentation as the other keys or items of its map or list' },
    };
  }
  return null;
}

function byReason({ at, reason }: Stop): SyntaxCause | null {
  const known: Record<string, readonly [message: string, expected?: string]> = {
    'a whitespace character is expected after the key-value separator within a block mapping': ['a space is missing after the colon'],
    "expected the node content, but found ','": ['nothing stands before this comma'],
    'name of an anchor node must contain at least one character': ['`&` names an anchor, but no name follows', 'a name, or quotes if the value begins with `&`'],
    'duplication of an anchor property': ['two anchors on one value'],
    'alias node should not have any properties': ['an anchor on a reference to another', 'one of both'],
    'a line break is expected': ['text follows `|` or `>` in the same line', 'the text in the lines below, or quotes if the value begins so'],
    'directives end mark is expected': ['a line --- must follow the % directives'],
  };
  const found = known[reason];
  if (found !== undefined) return { at, message: found[0], hints: { expected: found[1] } };
  if (reason.startsWith('nesting exceeded')) return { at, message: 'more than 100 levels of nesting', hints: {} };
  return null;
}

function leadingBlanks(text: string, lineStart: number): number {
  return /^[ \t]*/.exec(text.slice(lineStart, lineStart + 1000))?.[0].length ?? 0;
}

/** Offset of the first character of the line that holds offset `at`. */
export function startOfLine(text: string, at: number): number {
  // lastIndexOf takes a negative start for 0, and would find a break there.
  if (at <= 0) return 0;
  return Math.max(text.lastIndexOf('\n', at - 1), text.lastIndexOf('\r', at - 1)) + 1;
}

function endOfLine(text: string, at: number): number {
  const rest = /[\r\n]/g;
  rest.lastIndex = at;
  return rest.exec(text)?.index ?? text.length;
}

function quote(value: string): string {
  return value.includes('\\') && !value.includes("'") ? `'${value}'` : JSON.stringify(value);
}

function clip(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
