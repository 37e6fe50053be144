// Quantizing and dequantizing on a device, beside one thread with WebAssembly.
import { parseFormat } from '../../src/formats/index.js';
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../src/kernels/webgpu/gpuChunkKernels.js';
import { medianMilliseconds, onBenchGpu } from './gpuDevice.js';

export interface GpuQuantizeRow {
  readonly name: string;
  /** 10⁹ bytes of f32 weights per second. */
  readonly gigabytesPerSecond: number;
  /** The same by one thread. */
  readonly wasmGigabytesPerSecond: number;
}

/** Of a job's chunks, and of what a device that computes on the CPU gets. */
const ELEMENTS = 1 << 22;
const SOFTWARE_ELEMENTS = 1 << 18;
const COLUMNS = 2048;

/**
 * Rows for the device here; none where there is none.
 * @param wasm what one thread does, by format
 */
export function gpuQuantizeRows(
  weights: Float32Array,
  wasm: ReadonlyMap<string, number>,
): Promise<GpuQuantizeRow[]> {
  return onBenchGpu('Quantizing', (gpu) => measure(gpu, weights, wasm));
}

async function measure(
  gpu: Gpu,
  weights: Float32Array,
  wasm: ReadonlyMap<string, number>,
): Promise<GpuQuantizeRow[]> {
  const kernels = new GpuChunkKernels(gpu);
  const { isSoftware, description } = gpu.adapter;
  const [times, elements] = isSoftware ? [1, SOFTWARE_ELEMENTS] : [8, ELEMENTS];
  const [source, output] = [gpu.acquire(elements * 4), gpu.acquire(elements * 4)];
  const values = Float32Array.from({ length: elements }, (_, i) => weights[i % weights.length]);
  gpu.write(source, new Uint8Array(values.buffer));
  const shape = { rows: elements / COLUMNS, columns: COLUMNS };
  const tensorRange = { lo: -0.07, hi: 0.07 };
  const rows: GpuQuantizeRow[] = [];
  for (const [id, wasmGigabytesPerSecond] of wasm) {
    const format = parseFormat(id);
    const job = { format, scaleDtype: 'f16', shape, weights: source, tensorRange, output } as const;
    const milliseconds = await medianMilliseconds(
      gpu,
      () => void kernels.quantize(job),
      times,
      // Error sums are read, as a comparison does.
      () => kernels.collect(),
    );
    rows.push({
      name: `${id} (${description})`,
      gigabytesPerSecond: (elements * 4) / milliseconds / 1e6,
      wasmGigabytesPerSecond,
    });
  }
  return rows;
}

/** Prints the rows. */
export function printGpuQuantize(rows: readonly GpuQuantizeRow[]): void {
  if (rows.length > 0) {
    console.log('quantize, dequantize and sum errors'.padEnd(60) + '  GPU GB/s  one thread    ×');
  }
  for (const { name, gigabytesPerSecond, wasmGigabytesPerSecond } of rows) {
    const times = gigabytesPerSecond / wasmGigabytesPerSecond;
    console.log(
      name.padEnd(60) +
        gigabytesPerSecond.toFixed(3).padStart(10) +
        wasmGigabytesPerSecond.toFixed(3).padStart(12) +
        times.toFixed(2).padStart(7),
    );
  }
}
