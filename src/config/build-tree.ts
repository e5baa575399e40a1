/**
 * Parser events → the tree. Aliases, merge keys, duplicate and non-text keys
 * and tags are dealt with here; scalars that need more than a look (variables,
 * `file:`, doubtful numbers) are handed back as `deferred`, because whether
 * they count depends on the finished tree: top-level `x-…` keys do not.
 */
import { COLLECTION_STYLE, EVENT_ID, getScalarValue, SCALAR_STYLE, type Event, type ScalarEvent } from 'js-yaml';
import { Misspelt, resolvePlain } from './plain-scalar.ts';
import type { ProblemList } from './problems.ts';
import { SECRET_PREFIX } from './substitute.ts';
import { bracketedAddressAt, explainAlias } from './syntax-causes.ts';
import type { ListNode, MapEntry, MapNode, ScalarNode, YamlNode } from './yaml-tree.ts';

/** Nodes that aliases may add to those written, lest a few lines grow to billions. */
const ALIASED_NODES_MAX = 1_000_000;
/** The parser's own limit, kept with aliases too, so that whoever walks the tree may recurse. */
const DEPTH_MAX = 100;

/** A scalar whose value is not final. */
export interface DeferredScalar {
  readonly node: MutableScalar;
  /** Range of its content in the text. */
  readonly start: number;
  readonly end: number;
  readonly misspelt: Misspelt | null;
}

export type MutableScalar = { -readonly [K in keyof ScalarNode]: ScalarNode[K] };

export interface BuiltTree {
  /** null: nothing was written, or aliases ran away. */
  readonly root: YamlNode | null;
  readonly deferred: readonly DeferredScalar[];
}

/** Builds the first document; a second one is a problem. */
export function buildTree(text: string, events: readonly Event[], problems: ProblemList): BuiltTree {
  return new TreeBuilder(text, problems).build(events);
}

interface MapFrame {
  readonly kind: 'map';
  readonly isFlow: boolean;
  readonly node: MapNode;
  readonly entries: Map<string, MapEntry>;
  readonly anchor: Anchor | null;
  /** Nodes in it so far, aliased ones counted each time. */
  size: number;
  /** Levels of nesting, itself included. */
  depth: number;
  state: 'key' | 'value';
  /** null: the key was refused, and its value goes with it. */
  key: string | null;
  keyAt: number;
  isMerge: boolean;
  readonly merged: MapNode[];
  mergeAt: number;
}

interface ListFrame {
  readonly kind: 'list';
  readonly node: ListNode;
  readonly items: YamlNode[];
  readonly anchor: Anchor | null;
  size: number;
  depth: number;
}

type Frame = MapFrame | ListFrame;

interface Anchor {
  readonly node: YamlNode;
  size: number;
  depth: number;
  isComplete: boolean;
}

/** How much a node holds, with what aliases add. */
interface Extent {
  readonly size: number;
  readonly depth: number;
}

const ONE: Extent = { size: 1, depth: 1 };

class TreeBuilder {
  readonly #text: string;
  readonly #problems: ProblemList;
  readonly #deferred: DeferredScalar[] = [];
  readonly #frames: Frame[] = [];
  readonly #anchors = new Map<string, Anchor>();
  #root: YamlNode | null = null;
  /** End of what was read last: where to look for what left no trace, such as an empty list item. */
  #end = 0;
  #aliasedNodes = 0;

  constructor(text: string, problems: ProblemList) {
    this.#text = text;
    this.#problems = problems;
  }

  build(events: readonly Event[]): BuiltTree {
    let documents = 0;
    for (const event of events) {
      if (documents > 1) {
        const at = event.type === EVENT_ID.SCALAR ? event.valueStart : 'start' in event ? event.start : this.#end;
        this.#problems.error(at, 'a second document begins before this', { expected: 'one document: no line --- or ... between' });
        break;
      }
      if (event.type === EVENT_ID.DOCUMENT) documents++;
      else if (!this.#take(event)) return { root: null, deferred: [] };
    }
    return { root: this.#root, deferred: this.#deferred };
  }

  /** False: give up. */
  #take(event: Exclude<Event, { type: typeof EVENT_ID.DOCUMENT }>): boolean {
    switch (event.type) {
      case EVENT_ID.SCALAR:
        this.#scalar(event);
        return true;
      case EVENT_ID.MAPPING: {
        this.#refuseTag(event.tagStart, event.tagEnd, null);
        const entries = new Map<string, MapEntry>();
        const node: MapNode = { kind: 'map', at: event.start, entries };
        const anchor = this.#anchor(event.anchorStart, event.anchorEnd, node);
        const isFlow = event.style === COLLECTION_STYLE.FLOW;
        this.#frames.push({ kind: 'map', isFlow, node, entries, anchor, size: 1, depth: 1, state: 'key', key: null, keyAt: 0, isMerge: false, merged: [], mergeAt: -1 });
        this.#end = event.start;
        return true;
      }
      case EVENT_ID.SEQUENCE: {
        this.#refuseTag(event.tagStart, event.tagEnd, null);
        const items: YamlNode[] = [];
        const node: ListNode = { kind: 'list', at: event.start, items };
        const anchor = this.#anchor(event.anchorStart, event.anchorEnd, node);
        this.#frames.push({ kind: 'list', node, items, anchor, size: 1, depth: 1 });
        this.#end = event.start;
        return true;
      }
      case EVENT_ID.ALIAS:
        return this.#alias(event.anchorStart, event.anchorEnd);
      case EVENT_ID.POP: {
        const frame = this.#frames.pop();
        if (frame === undefined) return true;
        if (frame.kind === 'map') mergeInto(frame);
        if (frame.anchor !== null) {
          frame.anchor.size = frame.size;
          frame.anchor.depth = frame.depth;
          frame.anchor.isComplete = true;
        }
        this.#place(frame.node, frame);
        return true;
      }
    }
  }

  #scalar(event: ScalarEvent): void {
    const value = getScalarValue(this.#text, event);
    const quoted = event.style !== SCALAR_STYLE.PLAIN;
    const at = this.#scalarStart(event);
    if (event.tagStart !== -1) this.#refuseTag(event.tagStart, event.tagEnd, quoted ? null : event.valueEnd);
    const frame = this.#frames.at(-1);
    if (event.valueStart !== -1) this.#end = event.valueEnd + (quoted ? 1 : 0);
    else if (frame?.kind === 'map' && frame.state === 'value') this.#checkGluedPair(frame);
    if (frame?.kind === 'map' && frame.state === 'key') {
      this.#key(frame, value, at, quoted);
      if (event.anchorStart !== -1) this.#anchor(event.anchorStart, event.anchorEnd, textNode(at, value));
      return;
    }
    const resolved = quoted ? value : resolvePlain(value);
    const misspelt = resolved instanceof Misspelt ? resolved : null;
    const node: MutableScalar = { kind: 'scalar', at, value: resolved instanceof Misspelt ? value : resolved, source: value, quoted, substituted: false, secret: false };
    if (misspelt !== null || value.includes('${') || value.startsWith(SECRET_PREFIX)) {
      this.#deferred.push({ node, start: event.valueStart, end: event.valueEnd, misspelt });
    }
    const anchor = this.#anchor(event.anchorStart, event.anchorEnd, node);
    if (anchor !== null) anchor.isComplete = true;
    this.#place(node, ONE);
  }

  #scalarStart(event: ScalarEvent): number {
    switch (event.style) {
      case SCALAR_STYLE.PLAIN:
        return event.valueStart === -1 ? this.#emptyStart(event) : event.valueStart;
      case SCALAR_STYLE.SINGLE_QUOTED:
      case SCALAR_STYLE.DOUBLE_QUOTED:
        return event.valueStart - 1;
      case SCALAR_STYLE.LITERAL_BLOCK:
      case SCALAR_STYLE.FOLDED_BLOCK:
        return blockHeaderStart(this.#text, event.valueStart);
    }
  }

  /** Where to show something that was not written: its anchor, its key, or the dash of its list item. */
  #emptyStart(event: ScalarEvent): number {
    if (event.anchorStart !== -1) return event.anchorStart - 1;
    const frame = this.#frames.at(-1);
    if (frame?.kind === 'map') return frame.state === 'value' ? frame.keyAt : this.#end;
    if (frame === undefined) return 0;
    const dash = frame.items.length === 0 ? frame.node.at : nextDash(this.#text, this.#end);
    this.#end = dash + 1;
    return dash;
  }

  #key(frame: MapFrame, key: string, at: number, quoted: boolean): void {
    frame.state = 'value';
    frame.keyAt = at;
    frame.key = null;
    frame.isMerge = key === '<<' && !quoted;
    if (frame.isMerge) {
      if (frame.mergeAt !== -1) this.#problems.error(at, '`<<` stands twice in one map', { expected: 'one `<<` with a list: `<<: [*a, *b]`' });
      frame.mergeAt = at;
      return;
    }
    const first = frame.entries.get(key);
    if (first !== undefined) {
      const { line } = this.#problems.locate(first.keyAt);
      this.#problems.error(at, `the key \`${clip(key)}\` stands twice in one map, first in line ${line}`);
    } else if (!quoted && typeof resolvePlain(key) !== 'string') {
      this.#problems.error(at, key === '' ? 'a key is missing before the colon' : `the key \`${clip(key)}\` is not text`, {
        expected: 'text as a key',
        suggestion: key === '' ? undefined : `"${clip(key)}"`,
      });
    } else if (key.includes('${')) {
      this.#problems.error(at, 'a variable in a key: ${} works in values only');
    } else {
      frame.key = key;
    }
  }

  /** `{port:80}` is a key without a value to YAML; nobody means that. */
  #checkGluedPair(frame: MapFrame): void {
    const pair = frame.isFlow && frame.key !== null ? /^([\w.-]+):(\S+)$/.exec(frame.key) : null;
    if (pair === null || this.#text.charAt(frame.keyAt) === '"' || this.#text.charAt(frame.keyAt) === "'") return;
    this.#problems.error(frame.keyAt, 'a space is missing after the colon', { suggestion: `${pair[1]}: ${pair[2]}` });
    frame.key = null;
  }

  #alias(start: number, end: number): boolean {
    const name = this.#text.slice(start, end);
    const at = start - 1;
    const anchor = this.#anchors.get(name);
    this.#end = end;
    if (anchor === undefined || !anchor.isComplete) {
      const cause = anchor === undefined ? explainAlias(name) : { message: `\`*${clip(name)}\` stands inside the very part it repeats`, hints: {} };
      this.#problems.error(at, cause.message, cause.hints);
      this.#problems.settle(at);
      this.#place(textNode(at, `*${name}`), ONE);
      return true;
    }
    if (anchor.depth + this.#frames.length > DEPTH_MAX) {
      this.#problems.error(at, `more than ${DEPTH_MAX} levels of nesting`);
      return false;
    }
    this.#aliasedNodes += anchor.size;
    if (this.#aliasedNodes > ALIASED_NODES_MAX) {
      this.#problems.error(at, `aliases blow this file up to more than ${ALIASED_NODES_MAX} values`);
      return false;
    }
    this.#place(anchor.node, anchor, at);
    return true;
  }

  /** Puts a finished node where it belongs. `usedAt`: where an alias to it stands. */
  #place(node: YamlNode, extent: Extent, usedAt = node.at): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) {
      this.#root ??= node;
      return;
    }
    frame.size += extent.size;
    frame.depth = Math.max(frame.depth, extent.depth + 1);
    if (frame.kind === 'list') {
      frame.items.push(node);
    } else if (frame.state === 'key') {
      if (node.kind === 'scalar' && typeof node.value === 'string') this.#key(frame, node.value, usedAt, true);
      else this.#refuseKey(frame, node, usedAt);
    } else {
      frame.state = 'key';
      if (frame.isMerge) this.#merge(frame, node, usedAt);
      else if (frame.key !== null) frame.entries.set(frame.key, { keyAt: frame.keyAt, value: node });
    }
  }

  #refuseKey(frame: MapFrame, node: YamlNode, at: number): void {
    frame.state = 'value';
    frame.keyAt = at;
    frame.key = null;
    frame.isMerge = false;
    const address = bracketedAddressAt(this.#text, at);
    if (address !== null) this.#problems.error(at, 'an address in brackets needs quotes: brackets begin a list', { suggestion: `"${address}"` });
    else this.#problems.error(at, `a ${node.kind === 'scalar' ? 'value that is not text' : node.kind} stands where a key is due`, { expected: 'text as a key' });
  }

  #merge(frame: MapFrame, node: YamlNode, at: number): void {
    const sources = node.kind === 'list' ? node.items : [node];
    for (const source of sources) {
      if (source.kind === 'map') frame.merged.push(source);
      else this.#problems.error(at === node.at ? source.at : at, '`<<` merges maps only', { expected: '`<<: *anchor` of a map, or a list of such' });
    }
  }

  #anchor(start: number, end: number, node: YamlNode): Anchor | null {
    if (start === -1) return null;
    const anchor: Anchor = { node, size: 1, depth: 1, isComplete: node.kind === 'scalar' };
    this.#anchors.set(this.#text.slice(start, end), anchor);
    return anchor;
  }

  #refuseTag(start: number, end: number, valueEnd: number | null): void {
    if (start === -1) return;
    const tag = this.#text.slice(start, end);
    const whole = valueEnd === null ? null : this.#text.slice(start, Math.max(end, valueEnd));
    this.#problems.error(start, `\`${clip(tag)}\` is a YAML tag; tags are not used here`, {
      expected: 'no tag, or quotes if the value begins with an exclamation mark',
      suggestion: whole === null || whole.length > 80 || tag.startsWith('!!') ? undefined : JSON.stringify(whole),
    });
  }
}

/** Own keys win over merged ones wherever `<<` stands, and earlier sources over later ones (YAML merge key draft). */
function mergeInto(frame: MapFrame): void {
  for (const source of frame.merged) {
    for (const [key, entry] of source.entries) {
      if (!frame.entries.has(key)) frame.entries.set(key, entry);
    }
  }
}

function textNode(at: number, value: string): ScalarNode {
  return { kind: 'scalar', at, value, source: value, quoted: true, substituted: false, secret: false };
}

/** The `|` or `>` in the line before a block scalar's content. */
function blockHeaderStart(text: string, contentStart: number): number {
  const header = /[|>][-+0-9]*[ \t]*(?:[ \t]#[^\r\n]*)?(?:\r\n?|\n)?$/.exec(text.slice(Math.max(0, contentStart - 1000), contentStart));
  return header === null ? contentStart : contentStart - header[0].length;
}

/** The next `-` after blanks, comments and what closes the item before. */
function nextDash(text: string, from: number): number {
  const gap = /(?:[\s\]},]|#[^\r\n]*)*/y;
  gap.lastIndex = from;
  return from + (gap.exec(text)?.[0].length ?? 0);
}

function clip(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= 60 ? line : `${line.slice(0, 57)}...`;
}
