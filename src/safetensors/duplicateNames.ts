import { forEachInSteps, type Steps } from '../storage/slices.js';

/** Bits for each name: one in this many names is looked at twice. */
const BITS_PER_NAME = 64;
const MAX_BITS = 2 ** 27;

/** No entry of a header is shorter: `"":["I8",[],[0,0]],`. */
const MIN_ENTRY_BYTES = 18;

/**
 * Finds the first name that was there before. A set of a million names would take longer than all else
 * that is done with them: here a set holds only those whose hash occurs twice.
 */
export class DuplicateNames {
  readonly #mask: number;
  readonly #seen: Uint32Array;
  readonly #repeated = new Set<number>();
  readonly #hashes: Uint32Array;
  #names = 0;

  /** @param headerBytes length of the header, by which there can be only so many names */
  constructor(headerBytes: number) {
    const most = Math.ceil((headerBytes + 1) / MIN_ENTRY_BYTES);
    const bits = Math.min(MAX_BITS, 2 ** Math.ceil(Math.log2(BITS_PER_NAME * most)));
    this.#mask = bits - 1;
    this.#seen = new Uint32Array(bits / 32);
    this.#hashes = new Uint32Array(most);
  }

  /** Adds the next name, by the hash of its characters. */
  add(hashOfName: number): void {
    // The lower bits of a product depend on lower bits only.
    const hash = (hashOfName ^ (hashOfName >>> 15)) & this.#mask;
    const mask = 1 << (hash & 31);
    if ((this.#seen[hash >>> 5] & mask) !== 0) this.#repeated.add(hash);
    this.#seen[hash >>> 5] |= mask;
    this.#hashes[this.#names++] = hash;
  }

  /** The first name that was added before, in steps; `named` are all that were added, in that order. */
  *find(named: readonly { readonly name: string }[]): Steps<string | undefined> {
    if (this.#repeated.size === 0) return undefined;
    const names = new Set<string>();
    let duplicate: string | undefined;
    let at = 0;
    yield* forEachInSteps(named, ({ name }) => {
      if (!this.#repeated.has(this.#hashes[at++])) return;
      if (names.has(name)) duplicate ??= name;
      names.add(name);
    });
    return duplicate;
  }
}

/** What {@link addToHash} begins with. */
export const EMPTY_HASH = 0x811c9dc5;

/** FNV-1a: the hash of a text that is one character longer. Who makes names of equal hash only has them looked at twice. */
export function addToHash(hash: number, character: number): number {
  return Math.imul(hash ^ character, 0x01000193);
}

/** The hash of a text. */
export function hashOf(text: string): number {
  let hash = EMPTY_HASH;
  for (let i = 0; i < text.length; i++) hash = addToHash(hash, text.charCodeAt(i));
  return hash;
}
