// Chunks of weights on which kernels go wrong.
import type { ChunkShape, FixedRange } from '../../src/kernels/types.js';

export interface WeightScene extends ChunkShape {
  readonly name: string;
  /** [rows × columns], finite. */
  readonly weights: Float32Array;
  readonly tensorRange: FixedRange;
}

/** Numbers in [0, 1) from a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const pattern = new Uint32Array(1);
const patternFloat = new Float32Array(pattern.buffer);

/** An f32 by its bits. */
export function floatOfBits(bits: number): number {
  pattern[0] = bits;
  return patternFloat[0];
}

/** Any finite f32, all exponents alike. */
export function anyFinite(random: () => number): number {
  for (;;) {
    const value = floatOfBits(random() * 2 ** 32);
    if (Number.isFinite(value)) return value;
  }
}

function scene(
  name: string,
  rows: number,
  columns: number,
  weight: (index: number) => number,
): WeightScene {
  const weights = Float32Array.from({ length: rows * columns }, (_, i) => weight(i));
  let lo = Infinity;
  let hi = -Infinity;
  for (const each of weights) {
    lo = Math.min(lo, each);
    hi = Math.max(hi, each);
  }
  return { name, rows, columns, weights, tensorRange: { lo: lo + 0, hi: hi + 0 } };
}

/** Scenes from a seed; sizes divide nothing. */
export function makeWeightScenes(seed = 1): WeightScene[] {
  const random = seededRandom(seed * 2654435761);
  const normal = () =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()) * 0.02;
  const near = (value: number) => value * (1 + (Math.floor(random() * 9) - 4) * 2 ** -12);
  const edges = [2 ** -24, 2 ** -25, 2 ** -14, 65504, 65520, 2 ** -126, 2 ** -133, 448, 1e-5, 6];
  const subnormal = () => floatOfBits(Math.floor(random() * 2 ** 23));
  const signed = (value: number) => (random() < 0.5 ? -value : value);
  return [
    scene('normal', 5, 37, normal),
    scene('ties', 3, 71, () => Math.floor(random() * 61 - 30) / 4),
    scene('any exponent', 3, 67, () => anyFinite(random)),
    scene('one weight', 1, 1, () => normal()),
    scene('zeros', 4, 33, (i) => (i % 3 === 0 ? -0 : 0)),
    scene('positive', 2, 45, () => Math.abs(normal()) + 0.001),
    scene('negative', 3, 50, () => -Math.abs(normal())),
    scene('subnormal', 3, 41, () => signed(subnormal())),
    scene('around the smallest normal', 2, 61, () =>
      signed(subnormal() * 4 ** Math.floor(random() * 4)),
    ),
    scene('huge', 2, 53, () => signed(3.4e38 * random())),
    scene('huge and ordinary', 3, 39, (i) => (i % 11 === 0 ? signed(3e38) : normal())),
    scene('edges of types', 4, 43, () => signed(near(edges[Math.floor(random() * edges.length)]))),
    scene('tiny', 2, 77, () => normal() * 1e-9),
    scene('outliers', 1, 515, () => normal() * (random() < 0.01 ? 300 : 1)),
    scene('equal', 2, 35, () => 0.75),
    scene('one column', 47, 1, normal),
    scene('powers of two', 2, 65, () => signed(2 ** Math.floor(random() * 40 - 30))),
    scene('a zero and one sign', 2, 40, (i) => (i % 5 === 0 ? 0 : Math.abs(normal()))),
    scene('few exponents', 6, 31, () => anyFinite(() => 0.2 + random() * 0.02)),
    scene('long rows', 2, 1201, normal),
  ];
}

/**
 * Scenes on which sums in f32 cannot tell which range of a search is best: sums below what they are trusted
 * with, and weights that come with both signs, so that ranges and their mirror images are equally good but
 * for the rounding of sums.
 */
export function makeCloseScenes(seed = 1): WeightScene[] {
  const random = seededRandom(seed * 747796405);
  const tiny = scene('too small for f32 sums', 3, 64, () => (random() - 0.3) * 1e-12);
  const mirrored = [1, 2, 3, 4].map((rows) => {
    const magnitudes = Array.from({ length: 16 * rows }, () => random() ** 2);
    const both = magnitudes.flatMap((x, i) => (i % 2 === 0 ? [x, -x] : [-x, x]));
    // In another order, by an odd stride, so that the lanes of the sums get other weights.
    return scene('both signs', rows, 32, (i) => both[(i * 11) % both.length]);
  });
  return [tiny, ...mirrored];
}
