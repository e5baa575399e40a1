/**
 * Offsets into a text as lines and columns for people. The table of line starts
 * is made when the first position is asked for; each answer is a binary search.
 */
export interface Position {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in characters (code points; a tab is one). */
  readonly column: number;
}

export class LineTable {
  readonly text: string;
  #starts: number[] | null = null;

  constructor(text: string) {
    this.text = text;
  }

  /** Line and column of an offset (UTF-16 units); past the end counts as the end. */
  locate(offset: number): Position {
    const starts = this.#lineStarts();
    const at = Math.max(0, Math.min(offset, this.text.length));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: countCharacters(this.text, starts[low] ?? 0, at) + 1 };
  }

  get lineCount(): number {
    return this.#lineStarts().length;
  }

  /** Text of a 1-based line without its line break; '' outside the text. */
  line(number: number): string {
    const starts = this.#lineStarts();
    const start = starts[number - 1];
    if (start === undefined) return '';
    let end = starts[number] ?? this.text.length;
    while (end > start && isBreak(this.text.charCodeAt(end - 1))) end--;
    return this.text.slice(start, end);
  }

  #lineStarts(): number[] {
    return (this.#starts ??= findLineStarts(this.text));
  }
}

/** YAML 1.2 §5.4: a line feed, a carriage return, or both in this order end a line. */
function findLineStarts(text: string): number[] {
  const starts = [0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || (code === 13 && text.charCodeAt(i + 1) !== 10)) starts.push(i + 1);
  }
  return starts;
}

function isBreak(code: number): boolean {
  return code === 10 || code === 13;
}

function countCharacters(text: string, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to; i++) {
    if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++;
  }
  return count;
}
