/**
 * Gaussian noise on a tensor's weights, as large in each group as the group's range is wide, which is how errors of
 * formats with a scale per group are spread. The same for each element wherever and in whatever pieces of whole rows
 * it is computed.
 */
export interface WeightNoise {
  /** Its standard deviation over the width of the group's range, zero included. */
  readonly share: number;
  /** A whole number from 0, below 2³². */
  readonly seed: number;
}

/** The same for whole rows. */
export interface PlacedNoise extends WeightNoise {
  /** Index of the first element in its tensor, in logical order. */
  readonly first: number;
  readonly columns: number;
}

/** Weights of a row that share a size of the noise: those of the usual group. */
export const NOISE_GROUP = 128;

/** A bijection of 32 bits in which every bit of the result depends on all of them (Chris Wellons' lowbias32). */
function mix(bits: number): number {
  let x = bits ^ (bits >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

const RANGE = 2 ** 32;

/** Adds noise to rows of weights, rounding each sum to f32. Two elements share a draw (Box and Muller). */
export function addNoise(
  weights: Float32Array,
  { share, seed, first, columns }: PlacedNoise,
): void {
  for (let row = 0; row < weights.length; row += columns) {
    for (let start = row; start < row + columns; start += NOISE_GROUP) {
      const group = weights.subarray(start, Math.min(start + NOISE_GROUP, row + columns));
      addToGroup(group, share * rangeOf(group), seed, first + start);
    }
  }
}

/** From the least to the greatest value, zero included. */
function rangeOf(values: Float32Array): number {
  let least = 0;
  let greatest = 0;
  for (const value of values) {
    if (value < least) least = value;
    else if (value > greatest) greatest = value;
  }
  return greatest - least;
}

function addToGroup(weights: Float32Array, deviation: number, seed: number, first: number): void {
  if (deviation === 0) return;
  const end = first + weights.length;
  for (let pair = Math.floor(first / 2); pair * 2 < end; pair++) {
    const key = mix((pair >>> 0) ^ mix(seed ^ mix(Math.floor(pair / RANGE))));
    const radius = deviation * Math.sqrt(-2 * Math.log((key + 1) / RANGE));
    const angle = 2 * Math.PI * (mix(key ^ 0x9e3779b9) / RANGE);
    const at = pair * 2 - first;
    if (at >= 0) weights[at] += radius * Math.cos(angle);
    if (at + 1 < weights.length) weights[at + 1] += radius * Math.sin(angle);
  }
}
