import { ReferenceKernels } from '../kernels/reference/referenceKernels.js';
import type { Kernels, WeightSums } from '../kernels/types.js';
import { WasmKernels, type KernelExports } from '../kernels/wasm/wasmKernels.js';
import { Workspace, type MemoryRegion } from '../kernels/workspace.js';
import type { OpenSources } from '../storage/openSources.js';
import { readChunk } from './readChunk.js';
import type { ChunkTask } from './tasks.js';
import { transpose } from './transpose.js';

/** Brings chunks into a worker's region of the shared memory. */
export class ChunkLoader {
  private current: { region: MemoryRegion; outputAt?: number; kernels: Kernels } | undefined;

  constructor(
    readonly memory: WebAssembly.Memory,
    /** Absent: the reference kernels. */
    private readonly exports: KernelExports | undefined,
    readonly sources: OpenSources,
  ) {}

  /** Makes this thread see what another one added to the shared memory. */
  ensureVisible(end: number): void {
    if (this.memory.buffer.byteLength < end) this.memory.grow(0);
  }

  /** @param output where dequantized weights go, if not to the region */
  kernelsIn(region: MemoryRegion, output?: MemoryRegion): Kernels {
    const { current } = this;
    if (
      current?.region.start === region.start &&
      current.region.bytes === region.bytes &&
      current.outputAt === output?.start
    ) {
      return current.kernels;
    }
    this.ensureVisible(region.start + region.bytes);
    if (output) this.ensureVisible(output.start + output.bytes);
    const workspace = new Workspace(this.memory, region, output);
    const kernels = this.exports
      ? new WasmKernels(this.exports, workspace)
      : new ReferenceKernels(workspace);
    this.current = { region, outputAt: output?.start, kernels };
    return kernels;
  }

  /** Reads a chunk as stored. */
  async read({ chunk, region }: ChunkTask): Promise<Kernels> {
    const kernels = this.kernelsIn(region);
    const target = kernels.input(chunk.dtype, chunk.rows * chunk.columns);
    await readChunk(this.sources, chunk, target);
    return kernels;
  }

  /** Reads a chunk and widens it to f32, in the order in which it is stored. */
  async decode(task: ChunkTask): Promise<Kernels> {
    const kernels = await this.read(task);
    kernels.decode(task.chunk.dtype, task.chunk.rows * task.chunk.columns);
    return kernels;
  }

  /**
   * Widens a chunk that was read and sums over it, in the order in which it is stored. Then
   * non-finite weights are 0, and rows are rows of outputs.
   * @param output where dequantized weights are to go, if not to the region
   */
  widen(
    { chunk, region }: ChunkTask,
    output?: MemoryRegion,
  ): { readonly kernels: Kernels; readonly weights: WeightSums } {
    const kernels = this.kernelsIn(region, output);
    const { rows, columns, dtype, storedStride } = chunk;
    const elements = rows * columns;
    kernels.decode(dtype, elements);
    const weights = kernels.inspect(elements);
    if (storedStride !== undefined) {
      const values = kernels.weights(elements);
      const transposed = kernels.output(elements);
      transpose(values, transposed, columns, rows);
      values.set(transposed);
    }
    return { kernels, weights };
  }

  /** Reads and widens. */
  async load(
    task: ChunkTask,
  ): Promise<{ readonly kernels: Kernels; readonly weights: WeightSums }> {
    await this.read(task);
    return this.widen(task);
  }
}
