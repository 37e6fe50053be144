import { forEachInSteps, type Steps } from '../storage/slices.js';

/** Characters at either end of a name that its hash is made of. */
const HASHED_CHARACTERS = 64;

/** Bits for each name: one in this many names is looked at twice. */
const BITS_PER_NAME = 64;
const MAX_BITS = 2 ** 28;

/**
 * The first name that was there before, in steps. A set of a million names would take longer than all
 * else that is done with them: here a set holds only those whose hash occurs twice.
 */
export function* findDuplicateName(
  tensors: readonly { readonly name: string }[],
): Steps<string | undefined> {
  const bits = Math.min(MAX_BITS, 2 ** Math.ceil(Math.log2(BITS_PER_NAME * (tensors.length + 1))));
  const seen = new Uint32Array(bits / 32);
  const hashes = new Uint32Array(tensors.length);
  const repeated = new Set<number>();
  let at = 0;
  yield* forEachInSteps(tensors, ({ name }) => {
    const hash = hashOf(name) & (bits - 1);
    const mask = 1 << (hash & 31);
    if ((seen[hash >>> 5] & mask) !== 0) repeated.add(hash);
    seen[hash >>> 5] |= mask;
    hashes[at++] = hash;
  });
  if (repeated.size === 0) return undefined;
  const names = new Set<string>();
  let duplicate: string | undefined;
  at = 0;
  yield* forEachInSteps(tensors, ({ name }) => {
    if (!repeated.has(hashes[at++])) return;
    if (names.has(name)) duplicate ??= name;
    names.add(name);
  });
  return duplicate;
}

/** FNV-1a over both ends of a text. Who makes names of equal hash only has them looked at twice. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  const { length } = text;
  const skipFrom = length > 2 * HASHED_CHARACTERS ? HASHED_CHARACTERS : length;
  for (let i = 0; i < skipFrom; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  for (let i = Math.max(skipFrom, length - HASHED_CHARACTERS); i < length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  // The lower bits of a product depend on lower bits only.
  return (hash ^ (hash >>> 15)) >>> 0;
}
