import { exmyFormat } from '../../formats/entries/floats.js';
import type { BiasedFloat } from '../../formats/preShifted.js';

/** Factors of a bias that are tried: 0.01 + 0.0119·i for i = 0 … 99, in the order in which they win. */
export const BIAS_FACTORS: readonly number[] = Array.from(
  { length: 100 },
  (_, i) => 0.01 + (i * (1.2 - 0.01)) / 100,
);

/** "E2M1". */
export function splitName({ levels, exponentBits }: BiasedFloat): string {
  return `E${exponentBits}M${levels.fractionBits}`;
}

/**
 * Ways to split the bits of a float into exponent and fraction that are tried, fewest bits of the fraction first: at
 * least one bit of exponent; of 8 bits those with a fraction of 2 to 6.
 */
export function listSplits(bits: number): readonly BiasedFloat[] {
  const [least, most] = bits === 8 ? [2, 6] : [0, bits - 2];
  return Array.from({ length: most - least + 1 }, (_, i) => {
    const exponentBits = bits - 1 - least - i;
    return { exponentBits, levels: exmyFormat(exponentBits, least + i) };
  });
}

/** Index of the least number; the first of equal ones. @throws where none is a number */
export function indexOfLeast(values: ArrayLike<number>): number {
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < (best < 0 ? Infinity : values[best])) best = i;
  }
  if (best < 0) throw new Error('No loss is a number');
  return best;
}
