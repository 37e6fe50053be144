import { withGrouping, type NumberFormat, type ScaleDtype } from '../formats/index.js';
import { computeStoredSize } from './formatList.js';

/** Groups of fewer columns cost more in scales than in codes. */
const SMALLEST_GROUP = 8;

/**
 * A format with the group size at which tensors take as near to so many bits per weight as they can, scales and zero
 * points included; of sizes that come equally near, the smallest, whose groups are the most even.
 * @param format one whose group size is the user's choice
 * @param shapes outputs first
 */
export function withEqualStorage(
  format: NumberFormat,
  bitsPerWeight: number,
  shapes: readonly (readonly number[])[],
  scaleDtype: ScaleDtype,
): NumberFormat {
  const widest = shapes.reduce((most, shape) => Math.max(most, shape.at(-1) ?? 0), 0);
  let best = withGrouping(format, { kind: 'row' });
  const distance = (each: NumberFormat) => {
    const { bits, elements } = computeStoredSize(each, shapes, scaleDtype);
    return Math.abs(bits / elements - bitsPerWeight);
  };
  let least = distance(best);
  for (let size = widest - 1; size >= SMALLEST_GROUP; size--) {
    const tried = withGrouping(format, { kind: 'columns', size });
    const far = distance(tried);
    if (far <= least) [best, least] = [tried, far];
  }
  return best;
}
