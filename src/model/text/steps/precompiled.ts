import type { Normalize } from './normalizers.js';

/** Graphemes that are looked up whole have fewer bytes. */
const LOOKED_UP_WHOLE = 6;
const MAX_KNOWN = 100_000;
const DAMAGED = '"precompiled_charsmap" is no map of characters';

/**
 * SentencePiece's map of characters (nmt_nfkc and others): a double array of keys, then the texts that
 * they become.
 * @throws an Error where the map is damaged
 */
export function makeCharacterMap(base64: unknown): Normalize {
  if (base64 === undefined || base64 === null || base64 === '') return (text) => text;
  if (typeof base64 !== 'string') throw new Error(`${DAMAGED}`);
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const trieBytes = bytes.length >= 4 ? view.getUint32(0, true) : Infinity;
  if (trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) throw new Error(DAMAGED);
  const units = new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer);
  const texts = bytes.subarray(4 + trieBytes);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  /** What the shortest key that begins the piece becomes. */
  function find(piece: string): string | undefined {
    let at = offsetOf(units[0] ?? 0);
    for (const byte of encoder.encode(piece)) {
      if (byte === 0) return undefined;
      at ^= byte;
      const unit = units[at] ?? 0;
      if (labelOf(unit) !== byte) return undefined;
      at ^= offsetOf(unit);
      if ((unit >>> 8) & 1) {
        const begin = (units[at] ?? 0) & 0x7fffffff;
        const end = texts.indexOf(0, begin);
        return decoder.decode(texts.subarray(begin, end < 0 ? texts.length : end));
      }
    }
    return undefined;
  }

  function transform(grapheme: string): string {
    if (encoder.encode(grapheme).length < LOOKED_UP_WHOLE) {
      const found = find(grapheme);
      if (found !== undefined) return found;
    }
    let result = '';
    for (const character of grapheme) result += find(character) ?? character;
    return result;
  }

  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const known = new Map<string, string>();
  return (text) => {
    let result = '';
    for (const { segment } of segmenter.segment(text)) {
      let transformed = known.get(segment);
      if (transformed === undefined) {
        transformed = transform(segment);
        if (known.size < MAX_KNOWN) known.set(segment, transformed);
      }
      result += transformed;
    }
    return result;
  };
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

function labelOf(unit: number): number {
  return (unit & 0x800000ff) >>> 0;
}
