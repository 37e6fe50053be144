import type { Grid, NumberFormat, ScaleDtype } from '../../formats/types.js';
import { groupColumns } from '../reference/quantizeChunk.js';
import { ReferenceKernels } from '../reference/referenceKernels.js';
import {
  errorSums,
  RAW_ERROR_SUMS,
  type ChunkShape,
  type ErrorSums,
  type FixedRange,
  type Kernels,
  type WeightSums,
} from '../types.js';
import type { Workspace } from '../workspace.js';
import type { SafetensorsDtype } from '../../safetensors/types.js';

/** What the compiled module exports; see `assembly/`. Addresses and counts are i32. */
export interface KernelExports {
  decodeBF16(source: number, target: number, n: number): void;
  decodeF16(source: number, target: number, n: number): void;
  sumWeights(x: number, n: number, out: number): number;
  replaceNonFinite(x: number, n: number, first: number): number;
  count16(source: number, n: number, counts: number): void;
  groupExtremes(
    x: number,
    rows: number,
    columns: number,
    groupSize: number,
    positive: number,
    negative: number,
  ): void;
  quantizeInteger(...values: number[]): void;
  quantizeDenormalInteger(...values: number[]): void;
  quantizeGrid16(...values: number[]): void;
}

/** Instantiates the compiled kernels over a shared memory. */
export async function instantiateKernels(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<KernelExports> {
  const abort = () => {
    throw new Error('A kernel stopped at an internal check');
  };
  const instance = await WebAssembly.instantiate(module, { env: { memory, abort } });
  return instance.exports as unknown as KernelExports;
}

const SCALE_CODES: Readonly<Record<ScaleDtype, number>> = { f32: 0, f16: 1, bf16: 2 };
const MAX_GRID_LEVELS = 16;

// The tables area of a workspace.
const SUMS = 0;
const SCRATCH = 256;
const GRID = 512;

/** Lays a grid out as `assembly/grid.ts` reads it. */
function writeGrid(memory: Float32Array, { levels, thresholds, divisor }: Grid): void {
  const last = levels.length - 1;
  for (let i = 0; i < MAX_GRID_LEVELS; i++) {
    const interval = Math.min(i, last - 1);
    memory[i] = i < last ? thresholds[i] : Infinity;
    memory[16 + i] = levels[Math.min(i, last)];
    memory[32 + i] = 1 / (levels[interval + 1] - levels[interval]);
  }
  memory[48] = divisor;
  memory[49] = levels[0] - (levels[1] - levels[0]) / 2;
  memory[50] = levels[last] + (levels[last] - levels[last - 1]) / 2;
}

/** The kernels in WebAssembly with 128-bit vectors, over one worker's part of a shared memory. */
export class WasmKernels implements Kernels {
  readonly backend = 'wasm';
  /** Element types that are rare or cheap are widened by the reference. */
  private readonly reference: ReferenceKernels;

  constructor(
    private readonly exports: KernelExports,
    private readonly workspace: Workspace,
  ) {
    this.reference = new ReferenceKernels(workspace);
  }

  input(dtype: SafetensorsDtype, elements: number): Uint8Array {
    return this.reference.input(dtype, elements);
  }

  decode(dtype: SafetensorsDtype, elements: number): void {
    const { rawAt, weightsAt } = this.workspace;
    if (elements === 0 || dtype === 'F32') return;
    if (dtype === 'BF16') this.exports.decodeBF16(rawAt, weightsAt, elements);
    else if (dtype === 'F16') this.exports.decodeF16(rawAt, weightsAt, elements);
    else this.reference.decode(dtype, elements);
  }

  weights(elements: number): Float32Array {
    return this.reference.weights(elements);
  }

  output(elements: number): Float32Array {
    return this.reference.output(elements);
  }

  inspect(elements: number): WeightSums {
    if (elements === 0) return this.reference.inspect(0);
    const { tables, weightsAt } = this.workspace;
    let nonFinite = 0;
    let firstNonFinite = -1;
    if (!this.exports.sumWeights(weightsAt, elements, tables + SUMS)) {
      nonFinite = this.exports.replaceNonFinite(weightsAt, elements, tables + SCRATCH);
      firstNonFinite = new DataView(this.workspace.memory.buffer).getInt32(tables + SCRATCH, true);
      this.exports.sumWeights(weightsAt, elements, tables + SUMS);
    }
    const sums = new Float64Array(this.workspace.memory.buffer, tables + SUMS, 7);
    return {
      elements,
      nonFinite,
      firstNonFinite,
      zeros: sums[6] - nonFinite,
      sumSquares: sums[0] + sums[2] + (sums[1] + sums[3]),
      min: sums[4] + 0,
      max: sums[5] + 0,
    };
  }

  quantize(
    format: NumberFormat,
    scaleDtype: ScaleDtype,
    shape: ChunkShape,
    options: { readonly keepOutput?: boolean; readonly fixedRange?: FixedRange } = {},
  ): ErrorSums {
    const { rule } = format.entry;
    const { tables, weightsAt, outputAt, memory } = this.workspace;
    const range = options.fixedRange;
    const where = [
      weightsAt,
      options.keepOutput ? outputAt : 0,
      shape.rows,
      shape.columns,
      Math.max(groupColumns(format, shape.columns), 1),
    ];
    const how = [
      SCALE_CODES[scaleDtype],
      range ? 1 : 0,
      range?.lo ?? 0,
      range?.hi ?? 0,
      tables + SCRATCH,
      tables + SUMS,
    ];
    switch (rule.kind) {
      case 'integer': {
        const zeroPoint = rule.symmetric ? 2 ** (rule.bits - 1) : -1;
        this.exports.quantizeInteger(...where, 2 ** rule.bits - 1, zeroPoint, ...how);
        break;
      }
      case 'denormal-integer': {
        const zeroPoint = rule.symmetric ? 2 ** (rule.bits - 1) - 1 : -1;
        const top = 2 ** rule.bits - 3;
        this.exports.quantizeDenormalInteger(...where, top, zeroPoint, rule.special, ...how);
        break;
      }
      case 'grid':
        if (rule.grid.levels.length > MAX_GRID_LEVELS) {
          return this.reference.quantize(format, scaleDtype, shape, options);
        }
        writeGrid(this.workspace.floats(tables + GRID, 64), rule.grid);
        this.exports.quantizeGrid16(...where, tables + GRID, rule.twoScales ? 1 : 0, ...how);
        break;
    }
    return errorSums(new Float64Array(memory.buffer, tables + SUMS, RAW_ERROR_SUMS));
  }

  groupExtremes(shape: ChunkShape, groupSize: number) {
    const { weightsAt, outputAt } = this.workspace;
    const groups = shape.rows * Math.ceil(shape.columns / groupSize);
    // The negatives may reach into the raw bytes, which are decoded by now.
    const negativeAt = outputAt + groups * 4;
    this.exports.groupExtremes(
      weightsAt,
      shape.rows,
      shape.columns,
      groupSize,
      outputAt,
      negativeAt,
    );
    return {
      positive: this.workspace.floats(outputAt, groups).slice(),
      negative: this.workspace.floats(negativeAt, groups).slice(),
    };
  }

  /** Counts 16-bit codes as read (before decoding); overwrites the output area. */
  countCodes(elements: number): Uint32Array {
    const { rawAt, outputAt, memory } = this.workspace;
    const counts = new Uint32Array(memory.buffer, outputAt, 65536);
    counts.fill(0);
    this.exports.count16(rawAt, elements, outputAt);
    return counts;
  }
}
