import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transpose } from '../../../../src/compute/transpose.js';
import { inspectWeights } from '../../../../src/kernels/reference/referenceKernels.js';
import type { Gpu, GpuView } from '../../../../src/kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../../../src/kernels/webgpu/gpuChunkKernels.js';
import type { ElementTypeName } from '../../../../src/storage/elementTypes.js';
import { decodeElements } from '../../../../src/storage/elementValues.js';
import { openTestGpu, whyNoGpu } from '../../../support/gpu.js';
import { createReferenceKernels, loadWeights } from '../../../support/kernels.js';
import { floatOfBits, makeWeightScenes, seededRandom } from '../../../support/weightScenes.js';

const why = await whyNoGpu();

function bytesOf(values: Float32Array | Uint32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

describe.skipIf(why)('weights one by one on a GPU', () => {
  let gpu: Gpu;
  let kernels: GpuChunkKernels;
  beforeAll(async () => {
    gpu = await openTestGpu({ smallestLimits: true });
    kernels = new GpuChunkKernels(gpu);
  });
  afterAll(() => gpu.destroy());

  function upload(bytes: Uint8Array): GpuView {
    const view = gpu.acquire(bytes.byteLength);
    gpu.write(view, bytes);
    return view;
  }

  async function floats(view: GpuView): Promise<Float32Array> {
    return new Float32Array((await gpu.read(view)).buffer);
  }

  async function decoded(dtype: ElementTypeName, bytes: Uint8Array, elements: number) {
    const target = gpu.acquire(elements * 4);
    kernels.decode(dtype, upload(bytes), elements, target);
    return floats(target);
  }

  const bytes = ['BOOL', 'U8', 'I8', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'];
  const halves = ['F16', 'BF16', 'I16', 'U16'];
  it.each([...bytes, ...halves] as ElementTypeName[])('decodes every code of %s', async (dtype) => {
    const elements = bytes.includes(dtype) ? 256 : 65536;
    const codes =
      elements === 256
        ? Uint8Array.from({ length: 256 }, (_, i) => i)
        : bytesOf(Uint16Array.from({ length: 65536 }, (_, i) => i));
    const expected = new Float32Array(elements);
    decodeElements(dtype, codes, expected);
    const found = await decoded(dtype, codes, elements);
    expect(Array.from(found).every((x, i) => Object.is(x, expected[i]))).toBe(true);
  });

  it.each(['I32', 'U32', 'F32'] as ElementTypeName[])('decodes %s', async (dtype) => {
    const random = seededRandom(5);
    const codes = Uint32Array.from({ length: 5001 }, (_, i) => (random() * 2 ** 32) >>> (i % 32));
    codes.set([0, 1, 0x80000000, 0xffffffff, 0x7fffffff, 0x1000001, 0x1000003, 0x7f800000]);
    const expected = new Float32Array(codes.length);
    decodeElements(dtype, bytesOf(codes), expected);
    expect(await decoded(dtype, bytesOf(codes), codes.length)).toEqual(expected);
  });

  it('says which types it cannot decode', () => {
    expect(
      (['F64', 'I64', 'U64', 'C64', 'F4'] as const).filter((x) => kernels.canDecode(x)),
    ).toEqual([]);
    expect(() => kernels.decode('F64', gpu.acquire(8), 1, gpu.acquire(4))).toThrow(/F64/);
  });

  it.each([
    [1, 1],
    [37, 53],
    [16, 300],
  ])('transposes %i × %i', async (rows, columns) => {
    const source = Float32Array.from({ length: rows * columns }, (_, i) => i);
    const expected = new Float32Array(rows * columns);
    transpose(source, expected, rows, columns);
    const target = gpu.acquire(source.byteLength);
    kernels.transpose(upload(bytesOf(source)), target, rows, columns);
    expect(await floats(target)).toEqual(expected);
  });

  it('inspects weights, and replaces what is no number', async () => {
    const random = seededRandom(9);
    const scenes = makeWeightScenes().map(({ weights }) => weights);
    const broken = Float32Array.from({ length: 7001 }, () => floatOfBits(random() * 2 ** 32));
    broken.set([NaN, Infinity, -Infinity, floatOfBits(0xff800001)], 4500);
    for (const weights of [...scenes, broken, Float32Array.of(NaN, 1)]) {
      const view = upload(bytesOf(weights));
      const promise = kernels.inspect(view, weights.length);
      await kernels.collect();
      const { sumSquares, ...found } = await promise;
      const copy = weights.slice();
      const { sumSquares: expectedSum, ...expected } = inspectWeights(copy);
      expect(found).toEqual(expected);
      expect(Math.abs(sumSquares - expectedSum)).toBeLessThanOrEqual(1e-6 * expectedSum);
      expect(await floats(view)).toEqual(copy);
    }
  });

  it('finds the extremes of groups', async () => {
    const reference = createReferenceKernels();
    for (const { rows, columns, weights } of makeWeightScenes()) {
      for (const groupSize of [1, 7, 64, 100_000]) {
        loadWeights(reference, weights);
        const expected = reference.groupExtremes({ rows, columns }, groupSize);
        const view = upload(bytesOf(weights));
        const promise = kernels.groupExtremes(view, { rows, columns }, groupSize);
        await kernels.collect();
        expect(await promise).toEqual(expected);
        gpu.release(view);
      }
    }
  });

  it('counts codes', async () => {
    const random = seededRandom(3);
    const codes = Uint16Array.from({ length: 9999 }, () => random() ** 4 * 65536);
    codes.set([0, 65535]);
    const expected = new Uint32Array(65536);
    for (const code of codes) expected[code] += 2;
    const counts = gpu.acquire(65536 * 4);
    gpu.clear(counts);
    const source = upload(bytesOf(codes));
    for (let i = 0; i < 2; i++) kernels.countCodes(source, codes.length, counts);
    expect(new Uint32Array((await gpu.read(counts)).buffer)).toEqual(expected);
  });
});
