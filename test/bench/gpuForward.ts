// Products and attention on a device: how far from what it can do.
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuForwardKernels, type GpuMatrix } from '../../src/kernels/webgpu/gpuForwardKernels.js';
import { medianMilliseconds, onBenchGpu } from './gpuDevice.js';

export interface GpuRow {
  readonly name: string;
  readonly milliseconds: number;
  /** 10⁹ products and sums per second, two for each product that is added. */
  readonly gigaflops: number;
}

/** Rows for the device here; none where there is none. A device that computes on the CPU gets less to do. */
export function gpuForwardRows(): Promise<GpuRow[]> {
  return onBenchGpu('The forward pass', measure);
}

async function measure(gpu: Gpu): Promise<GpuRow[]> {
  const kernels = new GpuForwardKernels(gpu);
  await kernels.chooseProducts();
  const { isSoftware, description } = gpu.adapter;
  const [times, size] = isSoftware ? [1, 256] : [20, 4096];
  const floats = (count: number) => {
    const view = gpu.acquire(count * 4);
    gpu.clear(view);
    return view;
  };
  const matrix = (rows: number, stride: number): GpuMatrix => ({
    view: floats(rows * stride),
    stride,
  });
  const found: GpuRow[] = [];
  const add = async (name: string, flops: number, record: () => void) => {
    const milliseconds = await medianMilliseconds(gpu, record, times);
    found.push({
      name: `${name} (${description})`,
      milliseconds,
      gigaflops: flops / milliseconds / 1e6,
    });
  };
  const weights = floats(size * size);
  const scales = floats((size * size) / 128);
  for (const rows of [1, 64, size / 2]) {
    const shape = { rows, outputs: size, columns: size };
    const task = { ...shape, inputs: matrix(rows, size), output: matrix(rows, size) };
    const flops = 2 * rows * size * size;
    const name = `${rows} × ${size} × ${size}`;
    await add(`product ${name}`, flops, () => kernels.multiply({ ...task, weights }));
    await add(`product of codes ${name}`, flops, () =>
      kernels.multiplyPacked({
        ...task,
        codes: weights,
        groupSize: 128,
        scales,
        decoding: { zeroPoints: scales },
      }),
    );
  }
  const [rows, heads, headSize] = [size / 2, 8, 128];
  const width = heads * headSize;
  const projected = matrix(rows, 3 * width);
  const { view, stride } = projected;
  const from = (first: number): GpuMatrix => ({
    view: { ...view, offset: first * 4, bytes: view.bytes - first * 4 },
    stride,
  });
  const strides = { queryStride: headSize, keyStride: headSize, valueStride: headSize };
  const output = matrix(rows, width);
  // A position sees half of the others on average.
  await add(`attention ${rows} × ${heads} × ${headSize}`, 2 * rows * rows * width, () =>
    kernels.attend({
      ...{ rows, heads, keyValueHeads: heads, headSize, scale: 0.1, window: 0, softCap: 0 },
      ...{ queries: from(0), keys: from(width), values: from(2 * width), output },
      ...strides,
    }),
  );
  return found;
}

/** Prints the rows. */
export function printGpuForward(rows: readonly GpuRow[]): void {
  for (const { name, milliseconds, gigaflops } of rows) {
    console.log(
      `${name.padEnd(60)} ${milliseconds.toFixed(3).padStart(10)} ms ${gigaflops.toFixed(1).padStart(9)} GFLOP/s`,
    );
  }
}
