/** The words of the schema walk: where it is, how a value is shown, what an issue of zod's means to an operator. */
import type { z } from 'zod';
import { Fault } from './schema/notes.ts';
import type { ScalarNode } from './yaml-tree.ts';

/** The way from the root to where a walk stands; becomes text only when a problem needs it. */
export class Trail {
  static readonly top = new Trail(null, '');
  readonly parent: Trail | null;
  readonly key: string | number;

  constructor(parent: Trail | null, key: string | number) {
    this.parent = parent;
    this.key = key;
  }

  /** The same place, for the map that a scalar there is short for: its one key was never written. */
  shortFor(key: string): Trail {
    return new ShortTrail(this, key);
  }

  /** `pools.web.backends[3].weight: `; nothing at the root. */
  text(): string {
    const path = this.path();
    return path === '' ? '' : `${path}: `;
  }

  path(): string {
    if (this.parent === null) return '';
    const before = this.parent.path();
    if (typeof this.key === 'number') return `${before}[${this.key}]`;
    const key = /^[A-Za-z0-9_-]+$/.test(this.key) ? this.key : JSON.stringify(this.key);
    if (this.parent instanceof ShortTrail && this.parent.unwritten === this.key) return before;
    return before === '' ? key : `${before}.${key}`;
  }
}

class ShortTrail extends Trail {
  readonly unwritten: string;

  constructor(trail: Trail, unwritten: string) {
    super(trail.parent, trail.key);
    this.unwritten = unwritten;
  }
}

const SHOWN_LENGTH_MAX = 60;

/** A value in backticks. What came from a file or the environment is not the file's to show. */
export function shownValue(node: ScalarNode): string {
  if (node.secret) return 'the secret';
  const text = node.substituted ? node.source : String(node.value);
  const line = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
  return `\`${line.replaceAll('\n', '\\n')}\``;
}

/** What an issue says, and whether it is only that a bare number or boolean stands where text is wanted. */
export function problemOfIssue(issue: z.core.$ZodIssue): { fault: Fault; wantsText: boolean } {
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.map((issues) => issues[0]).filter((first) => first !== undefined);
    const best = inner.find((first) => first.code !== 'invalid_type') ?? inner[0];
    if (best !== undefined) return { fault: problemOfIssue(best).fault, wantsText: false };
  }
  return { fault: faultOf(issue), wantsText: issue.code === 'invalid_type' && issue.expected === 'string' };
}

function faultOf(issue: z.core.$ZodIssue): Fault {
  switch (issue.code) {
    case 'invalid_type':
      return new Fault('is of the wrong kind', { expected: issue.expected === 'int' ? 'a whole number' : `a ${issue.expected}` });
    case 'too_small':
      return new Fault(issue.origin === 'array' ? 'is empty' : 'is out of range', { expected: `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${issue.origin === 'array' ? ' entry' : ''}` });
    case 'too_big':
      return new Fault('is out of range', { expected: `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}` });
    case 'invalid_value':
      return new Fault('is not known here', { expected: issue.values.map(String).join(' or ') });
    default:
      return worded(issue);
  }
}

/** A schema's own words: either what would be right (`a duration …`), or what is wrong. */
function worded(issue: z.core.$ZodIssue): Fault {
  const hints = (issue.code === 'custom' ? issue.params : undefined) as { expected?: string; suggestion?: string } | undefined;
  if (/^an? /.test(issue.message)) return new Fault('is not right', { expected: issue.message });
  if (hints !== undefined) return new Fault(issue.message, hints);
  return new Fault(/^not /.test(issue.message) ? `is ${issue.message}` : `: ${issue.message}`);
}
