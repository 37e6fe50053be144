// Products in all ways in which a device can compute them, and which of them are taken.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ForwardContext } from '../../src/kernels/webgpu/forward/matrix.js';
import {
  measureProducts,
  usableVariants,
} from '../../src/kernels/webgpu/forward/measureProducts.js';
import { multiply, type GpuProduct } from '../../src/kernels/webgpu/forward/product.js';
import {
  DEFAULT_PRODUCTS,
  PRODUCT_VARIANTS,
  variantsOf,
  type ProductVariant,
} from '../../src/kernels/webgpu/forward/productVariants.js';
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuForwardKernels } from '../../src/kernels/webgpu/gpuForwardKernels.js';
import { Random } from '../support/forwardScene.js';
import { openTestGpu, whyNoGpu } from '../support/gpu.js';
import { GpuScene, withLimits, withOwn } from '../support/gpuScene.js';

const why = await whyNoGpu();
if (why) console.log(`Ways to compute products are not tested: ${why}`);

describe.skipIf(why)('products in several ways', () => {
  let gpu: Gpu;
  let plain: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu();
    plain = await openTestGpu({ smallestLimits: true });
  });
  afterAll(() => {
    gpu?.destroy();
    plain?.destroy();
  });

  const contextOf = (device: Gpu): ForwardContext => ({
    gpu: device,
    nothing: device.acquire(4),
    products: DEFAULT_PRODUCTS,
  });

  function taskOf(
    scene: GpuScene,
    [rows, outputs, columns]: readonly [number, number, number],
  ): GpuProduct {
    const numbers = new Random(7);
    return {
      ...{ rows, outputs, columns },
      inputs: scene.matrix(rows, columns, numbers.floats(rows * columns), { gap: 4, lead: 8 }),
      weights: scene.put(numbers.floats(outputs * columns)),
      output: scene.matrix(rows, outputs),
    };
  }

  it.each([
    [131, 67, 100],
    [1, 200, 64],
    [129, 130, 4],
  ])('are the same to the bit: %i rows, %i outputs, %i inputs', async (...shape) => {
    const productBy = async (variant: ProductVariant) => {
      const scene = new GpuScene(gpu);
      const task = taskOf(scene, shape);
      multiply({ ...contextOf(gpu), products: { few: variant, many: variant } }, task);
      return scene.read(task.output, task.rows, task.outputs);
    };
    const [first, ...others] = variantsOf(gpu.limits);
    const wanted = await productBy(first);
    expect(Math.max(...wanted)).toBeGreaterThan(0);
    for (const variant of others) expect(await productBy(variant)).toEqual(wanted);
  });

  it('are computed in subgroups where the device has some', () => {
    expect(variantsOf(plain.limits)).toHaveLength(2);
    expect(variantsOf(gpu.limits)).toHaveLength(gpu.limits.leastSubgroup > 1 ? 4 : 2);
  });

  it('are not computed in a way that the device refuses or that comes to other sums', async () => {
    const usable = async (device: Gpu) => {
      const task = taskOf(new GpuScene(device), [128, 128, 32]);
      const found: ProductVariant[] = [];
      for await (const variant of usableVariants(contextOf(device), task)) found.push(variant);
      return found;
    };
    const { leastSubgroup } = gpu.limits;
    expect(await usable(gpu)).toEqual(variantsOf(gpu.limits));
    const always = PRODUCT_VARIANTS.filter(({ subgroups }) => !subgroups);
    // Rows would come from threads beyond the subgroup.
    if (leastSubgroup === 4) {
      expect(await usable(withLimits(gpu, { leastSubgroup: 16 }))).toEqual(always);
    }
    // Its shaders may not use subgroups.
    expect(await usable(withLimits(plain, { leastSubgroup: 4 }))).toEqual(always);
    await plain.finish();
  });

  it('are measured, and leave no buffer in use', async () => {
    const shape = { rows: 128, outputs: 128, columns: 32 };
    const context = contextOf(gpu);
    await measureProducts(context, shape);
    const before = gpu.counts;
    const { few, many } = await measureProducts(context, shape);
    expect(few.tile).toBe(64);
    expect(PRODUCT_VARIANTS).toContain(many);
    expect(gpu.counts).toEqual(before);
  });

  it('are measured once, and not on devices that compute on the CPU', async () => {
    const triedBy = async (isSoftware: boolean, times: number) => {
      const adapter = { ...gpu.adapter, isSoftware };
      const kernels = new GpuForwardKernels(withOwn(gpu, { adapter }));
      const compiles = vi.spyOn(gpu, 'compiles');
      const shape = { rows: 128, outputs: 128, columns: 32 };
      for (let time = 0; time < times; time++) await kernels.chooseProducts(shape);
      const count = compiles.mock.calls.length;
      compiles.mockRestore();
      kernels.destroy();
      return count;
    };
    expect(await triedBy(true, 1)).toBe(0);
    const once = await triedBy(false, 1);
    expect(once).toBeGreaterThan(0);
    expect(await triedBy(false, 3)).toBe(once);
  });
});
