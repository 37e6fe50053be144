import type { GgmlTypeName, NumberFormat, ScaleDtype } from '../../formats/types.js';
import { GGML_TYPES } from '../reference/ggml/index.js';
import { groupedShape } from '../reference/groups.js';
import { ReferenceKernels } from '../reference/referenceKernels.js';
import {
  errorSums,
  RAW,
  type ChunkShape,
  type EncodedChunk,
  type ErrorSums,
  type Kernels,
  type QuantizeOptions,
  type WeightSums,
} from '../types.js';
import { codeOf, GGML_CODES } from './configSchema.js';
import { encodeBlocks, encodeGroups } from './encode.js';
import { hasKernel, writeConfig } from './kernelConfig.js';
import { TABLES } from './tables.js';
import type { Workspace } from '../workspace.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';

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
  quantizeChunk(
    x: number,
    y: number,
    u: number,
    rows: number,
    columns: number,
    groupSize: number,
    config: number,
    sums: number,
  ): void;
  encodeChunk(
    x: number,
    y: number,
    u: number,
    rows: number,
    columns: number,
    groupSize: number,
    config: number,
    codes: number,
    scales: number,
    second: number,
  ): void;
  quantizeGgml(
    type: number,
    x: number,
    y: number,
    u: number,
    blocks: number,
    packed: number,
    scratch: number,
  ): number;
  sumErrors(x: number, y: number, u: number, n: number, sums: number): void;
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

/** The block type of a format whose blocks fill the rows of a chunk: block kernels take nothing else. */
function wholeBlockType(
  { entry: { rule } }: NumberFormat,
  { columns }: ChunkShape,
): GgmlTypeName | undefined {
  if (rule.kind !== 'ggml') return undefined;
  return columns % GGML_TYPES[rule.type].blockSize === 0 ? rule.type : undefined;
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

  input(dtype: ElementTypeName, elements: number): Uint8Array {
    return this.reference.input(dtype, elements);
  }

  decode(dtype: ElementTypeName, elements: number): void {
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
    if (!this.exports.sumWeights(weightsAt, elements, tables + TABLES.sums)) {
      nonFinite = this.exports.replaceNonFinite(weightsAt, elements, tables + TABLES.first);
      firstNonFinite = new DataView(this.workspace.memory.buffer).getInt32(
        tables + TABLES.first,
        true,
      );
      this.exports.sumWeights(weightsAt, elements, tables + TABLES.sums);
    }
    const sums = new Float64Array(this.workspace.memory.buffer, tables + TABLES.sums, 7);
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
    options: QuantizeOptions = {},
  ): ErrorSums {
    const blockType = wholeBlockType(format, shape);
    if (blockType) return this.quantizeBlocks(blockType, shape.rows * shape.columns);
    if (!hasKernel(format)) return this.reference.quantize(format, scaleDtype, shape, options);
    const { tables, weightsAt, outputAt, rawAt, memory } = this.workspace;
    const { rows, columns, groupColumns } = groupedShape(format, shape);
    const places = { config: tables + TABLES.config, grid: tables + TABLES.grid };
    writeConfig(memory.buffer, places, { format, scaleDtype, ...options });
    // The bytes as read are decoded by now, so their place serves as scratch.
    this.exports.quantizeChunk(
      weightsAt,
      outputAt,
      rawAt,
      rows,
      columns,
      groupColumns,
      tables + TABLES.config,
      tables + TABLES.sums,
    );
    return errorSums(new Float64Array(memory.buffer, tables + TABLES.sums, RAW.length));
  }

  /** GGUF's block formats over whole blocks. */
  private quantizeBlocks(type: GgmlTypeName, elements: number): ErrorSums {
    const { tables, weightsAt, outputAt, rawAt, memory } = this.workspace;
    const clipped = this.exports.quantizeGgml(
      codeOf(GGML_CODES, type),
      weightsAt,
      outputAt,
      rawAt,
      elements / GGML_TYPES[type].blockSize,
      0,
      tables + TABLES.blockScratch,
    );
    this.exports.sumErrors(weightsAt, outputAt, rawAt, elements, tables + TABLES.sums);
    const sums = new Float64Array(memory.buffer, tables + TABLES.sums, RAW.length);
    return { ...errorSums(sums), clipped };
  }

  encode(
    format: NumberFormat,
    scaleDtype: ScaleDtype,
    shape: ChunkShape,
    options: Pick<QuantizeOptions, 'tensorRange'> = {},
  ): EncodedChunk {
    const { exports, workspace } = this;
    const elements = shape.rows * shape.columns;
    const blockType = wholeBlockType(format, shape);
    if (blockType) return encodeBlocks(exports, workspace, blockType, elements);
    if (elements === 0 || !hasKernel(format)) {
      return this.reference.encode(format, scaleDtype, shape, options);
    }
    const { tensorRange } = options;
    return encodeGroups(exports, workspace, shape, { format, scaleDtype, tensorRange });
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
