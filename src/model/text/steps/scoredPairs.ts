import TinyQueue from 'tinyqueue';
import { byteIds, noId, type WordModel } from './models.js';

/** More than a word has characters: a pair's place in the queue is its rank and its left character in one number. */
const PLACES = 2 ** 31;
/** No token joins a character to the next. */
const NONE = -1;

/** Tokens by how good their scores are, from 0; equal scores have equal ranks. */
function rank(scores: ReadonlyMap<string, number>): Map<string, number> {
  const sorted = Float64Array.from(scores.values()).sort().reverse();
  const ranks = new Map<number, number>();
  for (const score of sorted) if (!ranks.has(score)) ranks.set(score, ranks.size);
  return new Map(Array.from(scores, ([token, score]) => [token, ranks.get(score)!]));
}

/**
 * SentencePiece's byte-pair encoding: of all neighbours that a token joins, those with the best score are
 * joined first, the leftmost where scores are equal. Merges in a fixed order (`tokenizer.json`) are the same
 * except where scores are equal. Characters without a token become their bytes.
 * @param vocabulary ids of all tokens
 * @param scores of the tokens that may be made by joining
 * @throws (from `encode`) an Error where a character has neither a token nor tokens of its bytes
 */
export function makeScoredPairs(
  vocabulary: ReadonlyMap<string, number>,
  scores: ReadonlyMap<string, number>,
): WordModel {
  const ranks = rank(scores);
  let longest = 0;
  for (const token of scores.keys()) longest = Math.max(longest, token.length);

  function encode(word: string, ids: number[]): void {
    // Symbols are known by their first character: where each ends, and its neighbours.
    const begins: number[] = [];
    let at = 0;
    for (const character of word) {
      begins.push(at);
      at += character.length;
    }
    const count = begins.length;
    const ends = Int32Array.from(begins, (_, i) => begins[i + 1] ?? word.length);
    const next = Int32Array.from(begins, (_, i) => (i + 1 < count ? i + 1 : NONE));
    const previous = Int32Array.from(begins, (_, i) => i - 1);
    /** Rank of the token that joins a symbol to its neighbour. What is queued under another is out of date. */
    const current = new Int32Array(count).fill(NONE);
    const rankAt = (left: number): number => {
      const right = next[left];
      if (right === NONE || ends[right] - begins[left] > longest) return NONE;
      return ranks.get(word.slice(begins[left], ends[right])) ?? NONE;
    };
    const placeOf = (left: number) => current[left] * PLACES + left;
    const places: number[] = [];
    for (let left = 0; left < count; left++) {
      current[left] = rankAt(left);
      if (current[left] !== NONE) places.push(placeOf(left));
    }
    const queue = new TinyQueue(places, (a, b) => a - b);
    const offer = (left: number) => {
      current[left] = rankAt(left);
      if (current[left] !== NONE) queue.push(placeOf(left));
    };
    for (let place; (place = queue.pop()) !== undefined;) {
      const left = place % PLACES;
      if (placeOf(left) !== place) continue;
      const right = next[left];
      ends[left] = ends[right];
      next[left] = next[right];
      current[right] = NONE;
      if (next[left] !== NONE) previous[next[left]] = left;
      if (previous[left] !== NONE) offer(previous[left]);
      offer(left);
    }
    for (let i = count > 0 ? 0 : NONE; i !== NONE; i = next[i]) {
      const symbol = word.slice(begins[i], ends[i]);
      const id = vocabulary.get(symbol);
      if (id !== undefined) {
        ids.push(id);
        continue;
      }
      const bytes = byteIds(symbol, vocabulary);
      if (!bytes) throw noId(symbol);
      ids.push(...bytes);
    }
  }
  return { vocabulary, encode };
}
