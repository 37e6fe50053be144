/** How often each of many possible keys occurs: those that do. */
export interface SparseCounts {
  readonly keys: Uint32Array;
  /** As many as keys. */
  readonly counts: Uint32Array;
}

/** The keys of a table that have counts, in ascending order. @param counts by key */
export function nonZero(counts: Uint32Array): SparseCounts {
  let found = 0;
  for (let key = 0; key < counts.length; key++) found += counts[key] > 0 ? 1 : 0;
  const sparse = { keys: new Uint32Array(found), counts: new Uint32Array(found) };
  for (let key = 0, at = 0; at < found; key++) {
    if (counts[key] === 0) continue;
    sparse.keys[at] = key;
    sparse.counts[at++] = counts[key];
  }
  return sparse;
}

/** Counts few keys by sorting them, which a table of all possible keys would cost more than. */
export function countBySorting(values: ArrayLike<number>): SparseCounts {
  const sorted = new Uint32Array(values).sort();
  const counts = new Uint32Array(sorted.length);
  let found = 0;
  for (let i = 0; i < sorted.length; i++) {
    if (i === 0 || sorted[i] !== sorted[found - 1]) sorted[found++] = sorted[i];
    counts[found - 1]++;
  }
  return { keys: sorted.slice(0, found), counts: counts.slice(0, found) };
}

/** Counts of keys renumbered by an order. */
export interface OrderedCounts {
  /** Ascending. */
  readonly places: Uint32Array;
  /** As many as places. */
  readonly counts: Float64Array;
}

/** Fewer keys than this share of all are sorted instead of looked for in a table. */
const SORTED_SHARE = 1 / 32;

/** Serves every merge, which leaves it zeroed: a merge does not wait for anything. */
let table = new Float64Array(0);

/**
 * Adds up counts of the same keys.
 * @param size number of possible keys and places, at most 2^21
 * @param placeOf place of each key in the order wanted; keys themselves where it is absent
 */
export function mergeCounts(
  parts: readonly SparseCounts[],
  size: number,
  placeOf?: ArrayLike<number>,
): OrderedCounts {
  const total = parts.reduce((sum, { keys }) => sum + keys.length, 0);
  const places = new Uint32Array(Math.min(total, size));
  const counts = new Float64Array(places.length);
  let found = 0;
  if (total < size * SORTED_SHARE) {
    // Place and count in one number of less than 2^53, which sorts natively.
    const pairs = new Float64Array(total);
    let at = 0;
    for (const part of parts) {
      for (let i = 0; i < part.keys.length; i++) {
        const key = part.keys[i];
        pairs[at++] = (placeOf ? placeOf[key] : key) * 2 ** 32 + part.counts[i];
      }
    }
    pairs.sort();
    for (const pair of pairs) {
      const place = Math.floor(pair / 2 ** 32);
      if (found === 0 || places[found - 1] !== place) places[found++] = place;
      counts[found - 1] += pair - place * 2 ** 32;
    }
  } else {
    if (table.length < size) table = new Float64Array(size);
    for (const part of parts) {
      for (let i = 0; i < part.keys.length; i++) {
        const key = part.keys[i];
        table[placeOf ? placeOf[key] : key] += part.counts[i];
      }
    }
    for (let place = 0; place < size; place++) {
      if (table[place] === 0) continue;
      places[found] = place;
      counts[found++] = table[place];
      table[place] = 0;
    }
  }
  if (found === places.length) return { places, counts };
  // Copies: a view of a small array costs more.
  return { places: places.slice(0, found), counts: counts.slice(0, found) };
}
