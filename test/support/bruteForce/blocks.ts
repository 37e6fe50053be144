// Block formats by their definitions (docs/algorithms.md), written a second time: scales and levels are searched for
// among all values that there are. Quotients and products are f32, as the definitions have them.
import { CHOICE_DEFINITIONS } from './choices.js';
import { E2M1, E5M2, E8M0, largestMagnitude, nearest, nearestSigned } from './numbers.js';

const { fround } = Math;

/** Values that a block decodes to. @param tensorLargest the largest magnitude of the whole tensor */
export type BruteForce = (block: readonly number[], tensorLargest: number) => number[];

interface Definition {
  readonly blockSize: number;
  readonly quantize: BruteForce;
}

/** ŵ of weights with one scale: 0 where that is 0. */
function withScale(weight: number, scale: number, ties: 'even' | 'away'): number {
  return scale === 0 ? 0 : fround(nearestSigned(E2M1, fround(weight / scale), ties) * scale);
}

function amxfp4(block: readonly number[]): number[] {
  const scaleOf = (extreme: number) => {
    const wanted = fround(Math.abs(extreme) / 6);
    return nearest(E5M2, wanted === 0 ? 1 : wanted, 'up');
  };
  const positive = scaleOf(Math.max(...block));
  const negative = scaleOf(Math.min(...block));
  return block.map((weight) => withScale(weight, weight > 0 ? positive : negative, 'away'));
}

/** MXFP4 with the first power of two, ascending, that a block of this largest magnitude accepts. */
function mxfp4(accepts: (scale: number, largest: number) => boolean): BruteForce {
  return (block) => {
    const largest = largestMagnitude(block);
    const scale = E8M0.find((power) => accepts(power, largest)) ?? E8M0[E8M0.length - 1];
    return block.map((weight) => withScale(weight, scale, 'even'));
  };
}

/** By the names of the catalogue. */
export const DEFINITIONS: Readonly<Record<string, Definition>> = {
  amxfp4: { blockSize: 32, quantize: amxfp4 },
  // Largest / scale lies in [4, 8), (3, 6] and [3.5, 7).
  mxfp4: { blockSize: 32, quantize: mxfp4((scale, largest) => largest < 8 * scale) },
  'mxfp4-ceil': { blockSize: 32, quantize: mxfp4((scale, largest) => largest <= 6 * scale) },
  ...CHOICE_DEFINITIONS,
  'mxfp4-round': { blockSize: 32, quantize: mxfp4((scale, largest) => largest < 7 * scale) },
};

/** Quantizes and dequantizes a matrix; the last block of a row may be shorter. */
export function quantizeByDefinition(
  name: string,
  weights: readonly number[],
  columns: number,
): number[] {
  const { blockSize, quantize } = DEFINITIONS[name];
  const tensorLargest = largestMagnitude(weights);
  const values: number[] = [];
  for (let row = 0; row < weights.length; row += columns) {
    for (let column = 0; column < columns; column += blockSize) {
      const end = row + Math.min(column + blockSize, columns);
      values.push(...quantize(weights.slice(row + column, end), tensorLargest));
    }
  }
  return values;
}
