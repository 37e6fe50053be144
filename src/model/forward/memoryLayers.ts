import type { ForwardKernels, Matrix } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { columns, Layers, rowsFrom, type PickedRows, type Routing } from './layers.js';
import { chooseExperts, routesAt, type Routes } from './routing.js';
import { LOGIT_COLUMNS, RegionScratch, type Scratch } from './scratch.js';
import type { AttendTask } from './tasks.js';

/** Layers over one WebAssembly memory, in regions of which tasks have their scratch. */
export class MemoryLayers extends Layers {
  override readonly logitColumns = LOGIT_COLUMNS;

  /** @param memory that the kernels work in */
  constructor(
    override readonly kernels: ForwardKernels,
    private readonly memory: WebAssembly.Memory,
  ) {
    super(kernels);
  }

  override scratchOf(region: MemoryRegion): Scratch {
    return new RegionScratch(region);
  }

  override copy(source: Matrix, rows: number, size: number, target: Matrix): void {
    const floats = new Float32Array(this.memory.buffer);
    for (let row = 0; row < rows; row++) {
      const from = source.at / 4 + row * source.stride;
      floats.copyWithin(target.at / 4 + row * target.stride, from, from + size);
    }
  }

  override scale(values: Matrix, rows: number, size: number, factor: number): void {
    for (let row = 0; row < rows; row++) {
      const floats = this.rowOf(values, row, size);
      for (let i = 0; i < size; i++) floats[i] *= factor;
    }
  }

  override attend(task: AttendTask): void {
    const { attention, rows, projected, attended, firstKeyValueHead, region } = task;
    const { headSize, heads, keyValueHeads, keys, values, queries } = attention;
    const scratch = this.scratchOf(region);
    const { kernels } = this;
    const packedKeys = scratch.floats(Math.ceil(rows / 8) * 8 * headSize);
    const packedValues = scratch.floats(Math.ceil(headSize / 8) * 8 * rows);
    const shape = {
      rows,
      headSize,
      scale: attention.scale,
      window: attention.window,
      softCap: attention.softCap,
    };
    const work = scratch.take(kernels.attentionScratchBytes(shape));
    const shared = heads / keyValueHeads;
    for (let i = 0; i < task.keyValueHeads; i++) {
      const head = firstKeyValueHead + i;
      kernels.packRows(
        columns(projected, keys.at + head * keys.stride),
        rows,
        headSize,
        packedKeys,
      );
      kernels.packColumns(
        columns(projected, values.at + head * values.stride),
        headSize,
        rows,
        packedValues,
      );
      for (let query = head * shared; query < (head + 1) * shared; query++) {
        kernels.attend({
          shape,
          queries: columns(projected, queries.at + query * queries.stride),
          packedKeys,
          packedValues,
          output: columns(attended, query * headSize),
          scratch: work,
        });
      }
    }
  }

  override route({ logits, rows, experts, expertsPerRow, normalized, routes: at }: Routing): void {
    const routes = this.readRoutes(at, rows, expertsPerRow);
    for (let row = 0; row < rows; row++) {
      const [from, to] = [row * routes.stride, row * routes.stride + expertsPerRow];
      chooseExperts(
        this.rowOf(logits, row, experts),
        normalized,
        routes.experts.subarray(from, to),
        routes.weights.subarray(from, to),
      );
    }
  }

  override readRoutes(at: number, rows: number, expertsPerRow: number): Routes {
    return routesAt(this.memory.buffer, at, rows, expertsPerRow);
  }

  override gather({ source, columns: size, rows, target }: PickedRows): void {
    rows.forEach((row, index) => {
      this.copy(rowsFrom(source, row), 1, size, rowsFrom(target, index));
    });
  }

  override addScaled(picked: PickedRows & { readonly weights: readonly number[] }): void {
    const { source, columns: size, rows, target, weights } = picked;
    rows.forEach((row, index) => {
      const weight = weights[index];
      const result = this.rowOf(source, index, size);
      const sum = this.rowOf(target, row, size);
      for (let i = 0; i < sum.length; i++) sum[i] += weight * result[i];
    });
  }

  private rowOf({ at, stride }: Matrix, row: number, size: number): Float32Array {
    return new Float32Array(this.memory.buffer, at + row * stride * 4, size);
  }
}
