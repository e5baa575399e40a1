/**
 * Gives deferred scalars their final value: variables first, then `file:`, so
 * that `${TOKEN:-file:admin.token}` works. No message holds a value that came
 * from the machine.
 */
import { createHmac } from 'node:crypto';
import type { DeferredScalar } from './build-tree.ts';
import { Misspelt, resolvePlain } from './plain-scalar.ts';
import type { ProblemList } from './problems.ts';
import { expandVariables, SECRET_PREFIX, type SecretRead, type SubstitutionSource } from './substitute.ts';
import type { ScalarNode } from './yaml-tree.ts';

export class ScalarResolver {
  readonly #text: string;
  readonly #source: SubstitutionSource;
  readonly #problems: ProblemList;
  readonly #variables = new Set<string>();
  readonly #secrets = new Map<string, SecretRead>();
  readonly #replaced: DeferredScalar[] = [];

  constructor(text: string, source: SubstitutionSource, problems: ProblemList) {
    this.#text = text;
    this.#source = source;
    this.#problems = problems;
  }

  resolve(scalars: readonly DeferredScalar[]): void {
    for (const scalar of scalars) {
      if (!this.#resolveOne(scalar)) this.#problems.settle(scalar.node.at);
    }
  }

  get hasSubstituted(): boolean {
    return this.#replaced.length > 0;
  }

  variables(): string[] {
    return [...this.#variables].sort();
  }

  secretFiles(): string[] {
    return [...new Set([...this.#secrets.values()].map((secret) => secret.file))].sort();
  }

  /**
   * The text with each value where its `${}` or `file:` stood, for hashing. Of a
   * secret, since a short one could be found by trying, stands a hash under
   * `hashKey` alone; null: it stands as it is written. `isSecret`: beside what
   * came from a file.
   */
  effectiveText(hashKey: string | null, isSecret: (node: ScalarNode) => boolean): string {
    let out = '';
    let at = 0;
    for (const { node, start, end } of this.#replaced.toSorted((a, b) => a.start - b.start)) {
      const value = String(node.value);
      out += this.#text.slice(at, start);
      if (!node.secret && !isSecret(node)) out += value;
      else if (hashKey === null) out += this.#text.slice(start, end);
      else out += createHmac('sha256', hashKey).update(value).digest('hex');
      at = end;
    }
    return out + this.#text.slice(at);
  }

  /** False: a problem was reported, and the node's value means nothing. */
  #resolveOne(scalar: DeferredScalar): boolean {
    const { node, misspelt } = scalar;
    if (misspelt !== null) {
      this.#problems.error(node.at, misspelt.message, misspelt);
      return false;
    }
    let value = node.source;
    if (value.includes('${')) {
      const expansion = expandVariables(value, (name) => this.#source.variable(name));
      for (const name of expansion.variables) this.#variables.add(name);
      for (const problem of expansion.problems) this.#problems.error(this.#inside(scalar, problem.index), problem.message, problem);
      if (expansion.problems.length > 0) return false;
      value = expansion.text;
      node.substituted = expansion.variables.length > 0;
      if (!this.#assign(scalar, value)) return false;
    }
    if (value.startsWith(SECRET_PREFIX) && !this.#readSecret(scalar, value.slice(SECRET_PREFIX.length))) return false;
    this.#replaced.push(scalar);
    return true;
  }

  #assign({ node }: DeferredScalar, text: string): boolean {
    const resolved = node.quoted ? text : resolvePlain(text);
    if (!(resolved instanceof Misspelt)) {
      node.value = resolved;
      return true;
    }
    this.#problems.error(node.at, `the value of \`${node.source}\` looks like a number or boolean, but is not written as one here`, {
      expected: `a plain decimal, true or false, or quotes if text is meant: ${JSON.stringify(node.source)}`,
    });
    return false;
  }

  #readSecret({ node }: DeferredScalar, path: string): boolean {
    const secret = path === '' ? null : this.#secretOf(path);
    if (secret?.ok === true) {
      node.value = secret.text;
      node.secret = true;
      return true;
    }
    // A path that a variable took part in is shown as it was written.
    const shown = secret === null || node.substituted ? node.source : secret.file;
    const reason = secret === null ? 'it has no path' : secret.reason;
    this.#problems.error(node.at, `cannot read the secret \`${shown}\`: ${reason}`, { expected: 'a readable file of at most 64 KiB of text; relative paths start at the folder of the config' });
    return false;
  }

  #secretOf(path: string): SecretRead {
    let secret = this.#secrets.get(path);
    if (secret === undefined) this.#secrets.set(path, (secret = this.#source.readSecret(path)));
    return secret;
  }

  /** Offset in the text of the `${` at `index` of the scalar's value. Escapes and folding move it, so they are counted, not measured. */
  #inside({ node, start, end }: DeferredScalar, index: number): number {
    const wanted = node.source.slice(0, index).split('${').length;
    let at = start - 1;
    for (let count = 0; count < wanted; count++) {
      at = this.#text.indexOf('${', at + 1);
      if (at === -1 || at >= end) return node.at;
    }
    return at;
  }
}
