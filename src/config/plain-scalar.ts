/**
 * What an unquoted scalar means: YAML 1.2 core, narrowed. Spellings that some
 * YAML version or tool reads as a number or boolean and another one as text,
 * or as another number (`010` is 8 or 10), are refused instead of guessed at.
 */

/** A spelling that is refused; the fix is another spelling, or quotes. */
export class Misspelt {
  readonly message: string;
  readonly expected: string;
  readonly suggestion: string | undefined;

  constructor(message: string, expected: string, suggestion?: string) {
    this.message = message;
    this.expected = expected;
    this.suggestion = suggestion;
  }
}

const DECIMAL = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
const LIKE_A_NUMBER =
  /^[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** Value of an unquoted scalar. Only its first character is looked at for nearly all of them. */
export function resolvePlain(text: string): string | number | boolean | null | Misspelt {
  const first = text.charCodeAt(0);
  // Digits, '+', '-' and '.' begin numbers.
  if ((first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46) return resolveNumber(text);
  // None of the words below is longer, and most scalars are.
  if (text.length > 5) return text;
  switch (text) {
    case 'true':
      return true;
    case 'false':
      return false;
    case '':
    case '~':
    case 'null':
    case 'Null':
    case 'NULL':
      return null;
    case 'True':
    case 'TRUE':
      return misspeltBoolean(text, 'true');
    case 'False':
    case 'FALSE':
      return misspeltBoolean(text, 'false');
    default:
      return text;
  }
}

function resolveNumber(text: string): string | number | Misspelt {
  if (DECIMAL.test(text)) {
    const value = Number(text);
    if (Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value)) return value === 0 ? 0 : value;
    return new Misspelt(`\`${clip(text)}\` is too large for a number`, 'a number up to 9007199254740991, or quotes if text is meant');
  }
  if (!LIKE_A_NUMBER.test(text)) return text;
  const decimal = asDecimal(text);
  return new Misspelt(
    `\`${clip(text)}\` looks like a number, but numbers are plain decimals here`,
    `a plain decimal, or "${clip(text)}" in quotes if text is meant`,
    decimal === null ? undefined : decimal,
  );
}

/** What was meant, if all YAML versions agree on it. */
function asDecimal(text: string): string | null {
  if (/^[-+]?0[0-9_]/.test(text)) return null;
  const unsigned = text.replace(/^[-+]/, '').replaceAll('_', '');
  // Number() reads 0x, 0o, 0b and exponents, and refuses `.inf` and `.nan`.
  const value = Number(unsigned);
  const decimal = String(text.startsWith('-') ? -value : value);
  return DECIMAL.test(decimal) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? decimal : null;
}

function misspeltBoolean(text: string, right: string): Misspelt {
  return new Misspelt(`\`${text}\` is not how a boolean is written here`, `true or false, or "${text}" in quotes if text is meant`, right);
}

function clip(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}
