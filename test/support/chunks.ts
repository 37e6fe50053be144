// Chunks of weights for property tests of the kernels.
import fc from 'fast-check';
import type { ScaleDtype } from '../../src/formats/index.js';

const bits = new DataView(new ArrayBuffer(4));
/** Any f32 bit pattern at all: NaN payloads, infinities, denormals, ±0. */
const anyFloat = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((pattern) => {
  bits.setInt32(0, pattern);
  return bits.getFloat32(0);
});
/** Weights as they look in models, and the corners that go wrong. */
const weight = fc.oneof(
  { weight: 12, arbitrary: fc.double({ min: -0.5, max: 0.5, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: -30, max: 30 }).map((n) => n / 4) },
  { weight: 2, arbitrary: fc.constantFrom(0, -0, 1e-45, -1e-40, 2 ** -126, 3.4e38, -3.4e38) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity) },
  { weight: 1, arbitrary: anyFloat },
);
/** Chunks of any shape, any signs. */
export const chunk = fc
  .record({ rows: fc.integer({ min: 1, max: 4 }), columns: fc.integer({ min: 1, max: 150 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      // Sometimes one sign only, sometimes nothing but zeros.
      sign: fc.constantFrom<(x: number) => number>(
        (x) => x,
        Math.abs,
        (x) => -Math.abs(x),
        () => 0,
      ),
      values: fc.array(weight, { minLength: rows * columns, maxLength: rows * columns }),
    }),
  )
  .map(({ rows, columns, sign, values }) => ({
    rows,
    columns,
    weights: Float32Array.from(values, sign),
  }));
export const scaleDtype = fc.constantFrom<ScaleDtype>('f32', 'f16', 'bf16');
export const groupName = fc.oneof(
  fc.integer({ min: 2, max: 160 }).map((n) => `g${n}`),
  fc.constantFrom('row', 'tensor'),
);

/** Formats that are understood but not listed. */
export const UNLISTED = [
  'afp5-e2m2',
  'fp7-e4m2',
  'fp8-e7m0',
  'fp4-e2m1-even',
  'mxfp4-away',
  'nvfp4-onelevel',
  'int2-awq-away',
  'anf3-ste',
];
/** GGUF's kernels take whole blocks only: the chunk as one row, repeated until it fills some. */
export function asWholeBlocks(weights: Float32Array, block: number) {
  const columns = Math.ceil(weights.length / block) * block;
  return {
    rows: 1,
    columns,
    weights: Float32Array.from({ length: columns }, (_, i) => weights[i % weights.length]),
  };
}
