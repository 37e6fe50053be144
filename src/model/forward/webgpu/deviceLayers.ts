import type { Matrix } from '../../../kernels/forwardKernels.js';
import { columns, Layers, type InputRows, type PickedRows, type Routing } from '../layers.js';
import { routesAt, type Routes } from '../routing.js';
import type { Scratch } from '../scratch.js';
import type { AttendTask } from '../tasks.js';
import type { DeviceKernels } from './deviceKernels.js';
import { DeviceScratch } from './deviceScratch.js';

/** Columns of logits at once: enough work for a large device. */
const LOGIT_COLUMNS = 4096;

/** Layers over the memory of a device. */
export class DeviceLayers extends Layers {
  override readonly logitColumns = LOGIT_COLUMNS;
  private scratches: DeviceScratch[] = [];

  constructor(override readonly kernels: DeviceKernels) {
    super(kernels);
  }

  override scratchOf(): Scratch {
    const scratch = new DeviceScratch(this.kernels.memory);
    this.scratches.push(scratch);
    return scratch;
  }

  /** Gives back what tasks took; commands that were recorded before may still use it. */
  freeScratch(): void {
    for (const scratch of this.scratches.splice(0)) scratch.free();
  }

  /** The norm writes to where the product reads. */
  override packNormed({ norm, copy, ...input }: InputRows, scratch: Scratch): number {
    if (!norm) return this.packInputs({ ...input, copy }, scratch);
    const { rows, columns: size, rounding } = input;
    const target: Matrix = { at: scratch.floats(rows * size), stride: size };
    this.norm({ ...input, norm, target });
    if (copy) this.copy(target, rows, size, copy);
    if (rounding) {
      this.kernels.roundRows({ source: target, target, rows, columns: size, ...rounding });
    }
    return target.at;
  }

  override copy(source: Matrix, rows: number, size: number, target: Matrix): void {
    this.kernels.copy(source, rows, size, target);
  }

  override scale(values: Matrix, rows: number, size: number, factor: number): void {
    this.kernels.scale(values, rows, size, factor);
  }

  override attend(task: AttendTask): void {
    const { attention, rows, projected, attended, firstKeyValueHead: first, keyValueHeads } = task;
    const { heads, headSize, queries, keys, values, scale, window, softCap } = attention;
    const shared = heads / attention.keyValueHeads;
    this.kernels.attendHeads({
      rows,
      heads: keyValueHeads * shared,
      keyValueHeads,
      headSize,
      scale,
      window,
      softCap,
      queries: columns(projected, queries.at + first * shared * queries.stride),
      queryStride: queries.stride,
      keys: columns(projected, keys.at + first * keys.stride),
      keyStride: keys.stride,
      values: columns(projected, values.at + first * values.stride),
      valueStride: values.stride,
      output: columns(attended, first * shared * headSize),
    });
  }

  override route(routing: Routing): void {
    this.kernels.route(routing);
  }

  override async readRoutes(at: number, rows: number, expertsPerRow: number): Promise<Routes> {
    const words = await this.kernels.read(at, rows * expertsPerRow * 8);
    return routesAt(words.buffer, words.byteOffset, rows, expertsPerRow);
  }

  override gather(picked: PickedRows): void {
    this.kernels.gather(picked);
  }

  override addScaled(picked: PickedRows & { readonly weights: readonly number[] }): void {
    this.kernels.addScaled(picked);
  }
}
