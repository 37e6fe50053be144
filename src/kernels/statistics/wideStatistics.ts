import { binOf, type HistogramEdges } from './bins.js';
import { momentsOfFinite, type Moments } from './moments.js';
import { orderedBits } from './valueOrder.js';

/** First pass over a wide element type: what needs no knowledge of the whole tensor. */
export interface WideStatistics {
  readonly moments: Moments;
  readonly min: number;
  readonly max: number;
  readonly zeros: number;
  readonly nan: number;
  readonly inf: number;
  /** Index of the first NaN or ±Inf, or −1. */
  readonly firstNonFinite: number;
  /** How often each upper half of an f32's bits occurs, in the order of the values. */
  readonly upperCounts: Uint32Array;
}

/** What the second pass looks for. */
export interface Refinement {
  readonly edges: HistogramEdges;
  /** Upper halves (in value order) whose lower halves are to be counted, for exact quantiles. */
  readonly uppers: readonly number[];
}

export interface RefinedStatistics {
  readonly histogram: Float64Array;
  /** For each of `uppers`, counts of the 65,536 lower halves in value order. */
  readonly lowerCounts: readonly Uint32Array[];
}

/** First pass over f32 weights: see {@link WideStatistics}. Leaves the weights as they are. */
export function wideStatistics(weights: Float32Array): WideStatistics {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const upperCounts = new Uint32Array(65536);
  let min = Infinity;
  let max = -Infinity;
  let zeros = 0;
  let nan = 0;
  let inf = 0;
  let firstNonFinite = -1;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i];
    if (!Number.isFinite(weight)) {
      if (firstNonFinite < 0) firstNonFinite = i;
      if (Number.isNaN(weight)) nan++;
      else inf++;
      continue;
    }
    if (weight === 0) zeros++;
    if (weight < min) min = weight;
    if (weight > max) max = weight;
    upperCounts[orderedBits(bits[i]) >>> 16]++;
  }
  return {
    moments: momentsOfFinite(weights),
    min,
    max,
    zeros,
    nan,
    inf,
    firstNonFinite,
    upperCounts,
  };
}

/** Second pass: histogram over known edges, and the lower halves that quantiles fall among. */
export function refineStatistics(
  weights: Float32Array,
  { edges, uppers }: Refinement,
): RefinedStatistics {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const histogram = new Float64Array(edges.bins);
  const lowerCounts = uppers.map(() => new Uint32Array(65536));
  const slot = new Int32Array(65536).fill(-1);
  uppers.forEach((upper, index) => (slot[upper] = index));
  for (let i = 0; i < weights.length; i++) {
    if (!Number.isFinite(weights[i])) continue;
    histogram[binOf(weights[i], edges)]++;
    const order = orderedBits(bits[i]);
    const index = slot[order >>> 16];
    if (index >= 0) lowerCounts[index][order & 0xffff]++;
  }
  return { histogram, lowerCounts };
}
