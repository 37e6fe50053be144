import { words, type ForwardContext } from './matrix.js';
import { multiply, shaderOf, type GpuProduct } from './product.js';
import {
  pickProducts,
  variantsOf,
  type MeasuredVariant,
  type ProductChoice,
  type ProductVariant,
} from './productVariants.js';

export type ProductShape = Pick<GpuProduct, 'rows' | 'outputs' | 'columns'>;

/** Large enough for a few hundred large tiles, small enough for a slow device. */
const SHAPE = { rows: 2048, outputs: 2048, columns: 256 };
/** Once so much time has gone by, variants that were not tried yet are left alone. */
const MOST_SECONDS = 0.2;
/** Shorter runs say little. */
const LEAST_SECONDS = 0.003;
const ROUNDS = 8;
/** Rows of the result that are compared: those of one large tile. */
const COMPARED_ROWS = 128;

/**
 * Measures a product in the ways in which a device can compute it. They come to the same sums: the choice changes
 * no result.
 */
export async function measureProducts(
  context: ForwardContext,
  shape: ProductShape = SHAPE,
): Promise<ProductChoice> {
  const { gpu } = context;
  const { rows, outputs, columns } = shape;
  const operand = gpu.acquire(Math.max(rows, outputs) * columns * 4);
  const result = gpu.acquire(rows * outputs * 4);
  const values = Float32Array.from({ length: operand.bytes / 4 }, (_, i) => Math.sin(i * i));
  gpu.write(operand, new Uint8Array(values.buffer));
  const task: GpuProduct = {
    ...shape,
    inputs: { view: operand, stride: columns },
    weights: operand,
    output: { view: result, stride: outputs },
  };
  const measured: MeasuredVariant[] = [];
  let begin: number | undefined;
  for await (const variant of usableVariants(context, task)) {
    // The first is compiled in any case.
    begin ??= performance.now();
    let seconds = await secondsOf(context, task, variant, 1);
    if (seconds < LEAST_SECONDS) seconds = await secondsOf(context, task, variant, ROUNDS);
    measured.push({ variant, seconds });
    if ((performance.now() - begin) / 1000 > MOST_SECONDS) break;
  }
  gpu.release(operand, result);
  return pickProducts(measured);
}

/** Variants that the device takes and that come to the sums of the first one, to the bit; each has run once. */
export async function* usableVariants(
  context: ForwardContext,
  task: GpuProduct,
): AsyncGenerator<ProductVariant> {
  const { gpu } = context;
  const { rows, output } = task;
  let wanted: Uint8Array | undefined;
  for (const variant of variantsOf(gpu.limits)) {
    if (!(await gpu.compiles(shaderOf(context, task, variant)))) continue;
    gpu.clear(output.view);
    multiplyBy(context, task, variant);
    const sums = await gpu.read(
      words(output.view, 0, Math.min(rows, COMPARED_ROWS) * output.stride),
    );
    wanted ??= sums;
    if (areEqual(sums, wanted)) yield variant;
  }
}

async function secondsOf(
  context: ForwardContext,
  task: GpuProduct,
  variant: ProductVariant,
  times: number,
): Promise<number> {
  const begin = performance.now();
  for (let i = 0; i < times; i++) multiplyBy(context, task, variant);
  await context.gpu.finish();
  return (performance.now() - begin) / 1000 / times;
}

function multiplyBy(context: ForwardContext, task: GpuProduct, variant: ProductVariant): void {
  multiply({ ...context, products: { few: variant, many: variant } }, task);
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, index) => byte === other[index]);
}
