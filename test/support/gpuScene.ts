// Matrices on a device for tests of kernels, with sentinels around what a kernel may write.
import { expect } from 'vitest';
import type { Gpu, GpuView } from '../../src/kernels/webgpu/gpu.js';
import type { GpuMatrix } from '../../src/kernels/webgpu/gpuForwardKernels.js';
import { SENTINEL } from './forwardScene.js';

export interface MatrixPlace {
  /** Floats between rows. */
  readonly gap?: number;
  /** Floats before the first. */
  readonly lead?: number;
}

/** Data on a device and what it was at first. */
export class GpuScene {
  private readonly wholes = new Map<GPUBuffer, Float32Array<ArrayBuffer>>();

  constructor(readonly gpu: Gpu) {}

  /** Words that kernels only read. */
  put(values: Float32Array | Int32Array | Uint32Array): GpuView {
    const view = this.gpu.acquire(values.byteLength);
    this.gpu.write(view, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return view;
  }

  /** A matrix among sentinels, filled with values [rows × columns] where they are given. */
  matrix(
    rows: number,
    columns: number,
    values?: Float32Array,
    { gap = 3, lead = 5 }: MatrixPlace = {},
  ): GpuMatrix {
    const stride = columns + gap;
    const whole = new Float32Array(lead + rows * stride + 70).fill(SENTINEL);
    for (let row = 0; values && row < rows; row++) {
      whole.set(values.subarray(row * columns, (row + 1) * columns), lead + row * stride);
    }
    const view = this.gpu.acquire(whole.byteLength);
    this.gpu.write(view, new Uint8Array(whole.buffer));
    this.wholes.set(view.buffer, whole);
    return { view: { ...view, offset: lead * 4, bytes: view.bytes - lead * 4 }, stride };
  }

  /** What lies in a matrix; everything else of its buffer must be as it was. */
  async read(
    { view, stride }: GpuMatrix,
    rows: number,
    columns: number,
    heads: { readonly count: number; readonly stride: number } = { count: 1, stride: 0 },
  ): Promise<Float32Array> {
    const { buffer, offset } = view;
    const before = this.wholes.get(buffer)!;
    const bytes = await this.gpu.read({ buffer, offset: 0, bytes: before.byteLength });
    const after = new Float32Array(bytes.buffer, 0, before.length);
    const values = new Float32Array(rows * heads.count * columns);
    for (let run = 0; run < rows * heads.count; run++) {
      const at =
        offset / 4 + Math.floor(run / heads.count) * stride + (run % heads.count) * heads.stride;
      values.set(after.subarray(at, at + columns), run * columns);
      after.set(before.subarray(at, at + columns), at);
    }
    expect(Buffer.compare(Buffer.from(after.buffer), Buffer.from(before.buffer))).toBe(0);
    return values;
  }
}

/** The device as it would be with less room for a binding or fewer workgroups. */
export function withLimits(gpu: Gpu, limits: Partial<Gpu['limits']>): Gpu {
  return withOwn(gpu, { limits: { ...gpu.limits, ...limits } });
}

/** The same device, which says something else of itself. */
export function withOwn(gpu: Gpu, own: Partial<Pick<Gpu, 'limits' | 'adapter'>>): Gpu {
  return new Proxy(gpu, {
    get(target, key) {
      if (Object.hasOwn(own, key)) return own[key as keyof typeof own];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The largest difference, in units of a scale for each value or of the largest value. */
export function worstError(
  values: ArrayLike<number>,
  wanted: ArrayLike<number>,
  scales?: ArrayLike<number>,
): number {
  expect(values.length).toBe(wanted.length);
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) largest = Math.max(largest, Math.abs(wanted[i]));
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs(values[i] - wanted[i]) / (scales ? scales[i] : largest || 1);
    if (Number.isNaN(error)) return Infinity;
    worst = Math.max(worst, error);
  }
  return worst;
}
