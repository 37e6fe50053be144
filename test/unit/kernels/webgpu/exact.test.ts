import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import double from '../../../../src/kernels/webgpu/double.wgsl';
import exact from '../../../../src/kernels/webgpu/exact.wgsl';
import power from '../../../../src/kernels/webgpu/power.wgsl';
import rounding from '../../../../src/kernels/webgpu/rounding.wgsl';
import { powerTwoPointFour } from '../../../../src/kernels/reference/power.js';
import { storeScale } from '../../../../src/kernels/reference/scales.js';
import type { Gpu } from '../../../../src/kernels/webgpu/gpu.js';
import { openTestGpu, whyNoGpu } from '../../../support/gpu.js';
import { floatOfBits, seededRandom } from '../../../support/weightScenes.js';

const why = await whyNoGpu();
const { fround } = Math;

/** A kernel that applies an expression of two numbers `a` and `b`, by their bits. */
const binary = (expression: string) => `
const VIEWS = 3u;
@group(0) @binding(1) var<storage, read> left: array<u32>;
@group(0) @binding(2) var<storage, read> right: array<u32>;
@group(0) @binding(3) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= word(1u)) {
    return;
  }
  let a = left[skip(0u) + id.x];
  let b = right[skip(1u) + id.x];
  results[skip(2u) + id.x] = ${expression};
}
`;

const EDGES = [
  0, 1, 2, 3, 0x7fffff, 0x800000, 0x800001, 0xffffff, 0x1000000, 0x0d800000, 0x0d000001, 0x3f800000,
  0x3f7fffff, 0x3f800001, 0x3f000000, 0x40400000, 0x437f0000, 0x4b000000, 0x4b7fffff, 0x7e800000,
  0x7f000000, 0x7f7fffff, 0x7effffff, 0x34000000, 0x33800000, 0x33800001, 0x477fefff, 0x477ff000,
];

/** Pairs of finite numbers: all pairs of edges, any bits, and numbers near one another. */
function makePairs(): { left: Uint32Array; right: Uint32Array } {
  const random = seededRandom(77);
  const signed = EDGES.flatMap((bits) => [bits, (bits | 0x80000000) >>> 0]);
  const pairs = signed.flatMap((a) => signed.map((b) => [a, b]));
  const finite = () => {
    const bits = Math.floor(random() * 2 ** 32);
    return (bits & 0x7f800000) === 0x7f800000 ? bits & 0x807fffff : bits;
  };
  for (let i = 0; i < 40_000; i++) pairs.push([finite(), finite()]);
  for (let i = 0; i < 20_000; i++) {
    const a = finite() & 0x7cffffff;
    pairs.push([a, a + Math.floor(random() * 2 ** (i % 26)) + (i % 2) * 0x80000000]);
  }
  // Quotients and products at the lower end, where rounding has fewer bits.
  for (let i = 0; i < 20_000; i++) {
    const a = Math.floor(random() * 0x18000000);
    pairs.push([a, 0x3f800000 + Math.floor((random() - 0.5) * 0x30000000)]);
  }
  return {
    left: Uint32Array.from(pairs, ([a]) => a),
    right: Uint32Array.from(pairs, ([, b]) => b),
  };
}

describe.skipIf(why)('exact arithmetic on a GPU', () => {
  const { left, right } = makePairs();
  let gpu: Gpu;
  beforeAll(async () => void (gpu = await openTestGpu()));
  afterAll(() => gpu.destroy());

  async function apply(expression: string, ...files: string[]): Promise<Uint32Array> {
    const views = [left, right, left].map(({ byteLength }) => gpu.acquire(byteLength));
    [left, right].forEach((words, i) => gpu.write(views[i], new Uint8Array(words.buffer)));
    const code = [binary(expression), exact, ...files].join('\n');
    const kernel = gpu.kernel({ name: expression, code, access: ['read', 'read', 'write'] });
    gpu.run(kernel, { views, words: [0, left.length], groups: [Math.ceil(left.length / 256)] });
    const result = new Uint32Array((await gpu.read(views[2])).buffer);
    gpu.release(...views);
    return result;
  }

  /** The pairs for which the device gives other bits. */
  async function differences(
    expression: string,
    expected: (a: number, b: number) => number,
    ...files: string[]
  ) {
    const found = new Float32Array((await apply(expression, ...files)).buffer);
    const wrong: string[] = [];
    for (let i = 0; i < left.length; i++) {
      const [a, b] = [floatOfBits(left[i]), floatOfBits(right[i])];
      const wanted = fround(expected(a, b));
      if (!Object.is(found[i], wanted)) wrong.push(`${a}, ${b}: ${found[i]}, not ${wanted}`);
    }
    return wrong.slice(0, 5);
  }

  it('divides', async () => {
    const divide = (a: number, b: number) =>
      // By 0 as by infinity, with the sign of a quotient.
      b === 0 ? (Object.is(b, -0) ? a / -Infinity : a / Infinity) : a / b;
    expect(await differences('divide(a, b)', divide)).toEqual([]);
  });

  it('multiplies', async () => {
    expect(await differences('multiply(a, b)', (a, b) => a * b)).toEqual([]);
  });

  it('adds', async () => {
    expect(await differences('add(a, b)', (a, b) => a + b)).toEqual([]);
  });

  it.each(['f16', 'bf16', 'f32'] as const)('stores scales as %s', async (dtype) => {
    const scale = `storeScale(a & MAGNITUDE, ${dtype.toUpperCase()})`;
    expect(
      await differences(`${scale}.value`, (a) => storeScale(Math.abs(a), dtype).value, rounding),
    ).toEqual([]);
    const bad = (a: number) => (storeScale(Math.abs(a), dtype).exactEnough ? 0 : 1);
    expect(await differences(`select(0u, ONE, ${scale}.bad)`, bad, rounding)).toEqual([]);
  });

  it('raises to the power of 2.4', async () => {
    expect(await differences('powerTwoPointFour(a)', powerTwoPointFour, power)).toEqual([]);
  });

  it('divides f64 sums by whole numbers', async () => {
    const sum = 'addDoubles(doubleOf(a & MAGNITUDE), doubleOf(b & MAGNITUDE))';
    for (const divisor of [1, 5, 13]) {
      const quotient = (a: number, b: number) => (Math.abs(a) + Math.abs(b)) / divisor;
      expect(await differences(`divideToFloat(${sum}, ${divisor}u)`, quotient, double)).toEqual([]);
    }
  });

  it('adds squares and compares them in f64', async () => {
    // All bits of a sum, one word after the other.
    const sum = 'addDoubles(addDoubles(squareOf(a), squareOf(b)), doubleOf(0x3f800001u))';
    const words = await Promise.all([
      apply(`${sum}.low`, double),
      apply(`${sum}.high`, double),
      apply(`bitcast<u32>(${sum}.exponent)`, double),
    ]);
    const wrong = Array.from(left.keys()).filter((i) => {
      const [a, b] = [floatOfBits(left[i]), floatOfBits(right[i])];
      const [low, high, exponent] = words.map((each) => each[i]);
      const found = (high * 2 ** 32 + low) * 2 ** ((exponent | 0) - 52);
      return found !== a * a + b * b + floatOfBits(0x3f800001);
    });
    expect(wrong.slice(0, 5)).toEqual([]);
    const less = 'select(0u, ONE, isLess(squareOf(a), squareOf(b)))';
    expect(await differences(less, (a, b) => (a * a < b * b ? 1 : 0), double)).toEqual([]);
  });
});
