/** Gaussian noise on a tensor's weights: the same for each element wherever and in whatever pieces it is computed. */
export interface WeightNoise {
  /** Standard deviation. */
  readonly deviation: number;
  /** A whole number from 0, below 2³². */
  readonly seed: number;
}

/** The same for a run of elements. */
export interface PlacedNoise extends WeightNoise {
  /** Index of the first element in its tensor, in logical order. */
  readonly first: number;
}

/** A bijection of 32 bits in which every bit of the result depends on all of them (Chris Wellons' lowbias32). */
function mix(bits: number): number {
  let x = bits ^ (bits >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

const RANGE = 2 ** 32;

/** Adds noise to a run of weights, rounding each sum to f32. Two elements share a draw (Box and Muller). */
export function addNoise(weights: Float32Array, { deviation, seed, first }: PlacedNoise): void {
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
