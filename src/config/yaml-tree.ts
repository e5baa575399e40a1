/**
 * A YAML document as a tree that remembers where each part stood. Aliases,
 * merge keys and substitutions are resolved already. An aliased node is the
 * same object wherever it is used, so its position is that of the anchor, and
 * a walk over the tree may meet it more than once (never inside itself).
 *
 * A position is an offset into the text, turned into line and column only when
 * a problem needs it (line-table.ts): of the 100,000 nodes of a large config
 * nearly none ever does.
 */
export interface ScalarNode {
  readonly kind: 'scalar';
  /** Offset of its first character, the opening quote included. */
  readonly at: number;
  /**
   * After YAML 1.2 core resolution and substitution. A number is finite and was
   * written as a plain decimal; every other spelling is a problem already.
   */
  readonly value: string | number | boolean | null;
  /** As written, without quotes and before substitution: what a message may show. */
  readonly source: string;
  readonly quoted: boolean;
  /** A `${}` took part in `value`, which therefore belongs to the machine and is not shown: show `source`. */
  readonly substituted: boolean;
  /** `value` came from `file:`: always text, never shown. */
  readonly secret: boolean;
}

export interface MapEntry {
  readonly keyAt: number;
  readonly value: YamlNode;
}

export interface MapNode {
  readonly kind: 'map';
  readonly at: number;
  /** Own keys in file order, then those merged in by `<<`. */
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface ListNode {
  readonly kind: 'list';
  readonly at: number;
  readonly items: readonly YamlNode[];
}

export type YamlNode = ScalarNode | MapNode | ListNode;
export type YamlPath = readonly (string | number)[];

/**
 * The node that `path` leads to or, where the path leaves the tree, the deepest
 * one on the way: where a problem about something missing is shown.
 */
export function nodeAt(root: YamlNode, path: YamlPath): YamlNode {
  let node = root;
  for (const step of path) {
    const next = node.kind === 'map' ? node.entries.get(String(step))?.value : node.kind === 'list' ? node.items[Number(step)] : undefined;
    if (next === undefined) return node;
    node = next;
  }
  return node;
}
