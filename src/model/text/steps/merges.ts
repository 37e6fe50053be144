import { quoted } from '../../../storage/errors.js';

/** Longer words are cut where no merge can join them; most tokenizers never make such words. */
const LONG_WORD = 256;

type Merge = readonly [string, string];

/**
 * Merges in the one way or the other in which files write them.
 * @throws where one is no pair of texts like the others, or of tokens that the vocabulary lacks
 */
export function readMerges(merges: unknown, vocabulary: ReadonlyMap<string, number>): Merge[] {
  const list = merges as unknown[];
  const written = typeof list[0] === 'string';
  return list.map((each, index) => {
    const pair = written && typeof each === 'string' ? each.split(' ') : each;
    const isPair =
      written === (typeof each === 'string') &&
      Array.isArray(pair) &&
      pair.length === 2 &&
      pair.every((part) => typeof part === 'string');
    if (!isPair) throw new Error(`merge ${index + 1} is not a pair of texts like the others`);
    for (const token of [...pair, pair.join('')] as string[]) {
      if (vocabulary.has(token)) continue;
      throw new Error(`merge ${index + 1}: the vocabulary lacks ${quoted(token)}`);
    }
    return pair as unknown as Merge;
  });
}

/**
 * Cuts long words between characters that stand side by side in the result of no merge. Byte-pair
 * encoding never joins anything across such a place, so the tokens stay exactly those of the whole
 * word; a tokenizer that takes a text for one word is spared a queue over all of it.
 * @param marksEnds true where the end of a word is marked, which pieces do not have
 */
export function mergeSplitter(
  merges: readonly Merge[],
  marksEnds: boolean,
): (word: string) => readonly string[] {
  if (marksEnds) return (word) => [word];
  let neighbours: Set<number> | undefined;
  return (word) => {
    if (word.length <= LONG_WORD) return [word];
    neighbours ??= neighboursIn(merges);
    const pieces: string[] = [];
    let begin = 0;
    let at = 0;
    let previous = -1;
    for (const character of word) {
      const code = character.codePointAt(0)!;
      if (at > 0 && !neighbours.has(pairKey(previous, code))) {
        pieces.push(word.slice(begin, at));
        begin = at;
      }
      previous = code;
      at += character.length;
    }
    pieces.push(word.slice(begin));
    return pieces;
  };
}

function pairKey(first: number, second: number): number {
  return first * 0x110000 + second;
}

function neighboursIn(merges: readonly Merge[]): Set<number> {
  const pairs = new Set<number>();
  for (const merge of merges) {
    let previous = -1;
    for (const character of merge.join('')) {
      const code = character.codePointAt(0)!;
      if (previous >= 0) pairs.add(pairKey(previous, code));
      previous = code;
    }
  }
  return pairs;
}
