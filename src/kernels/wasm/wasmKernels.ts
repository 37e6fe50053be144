import type { GgmlTypeName, NumberFormat, ScaleDtype } from '../../formats/types.js';
import { GGML_TYPES } from '../reference/ggml/index.js';
import { groupedShape } from '../reference/groups.js';
import { ReferenceKernels } from '../reference/referenceKernels.js';
import {
  foldErrorSums,
  RAW,
  type ChunkShape,
  type EncodedChunk,
  type ErrorSums,
  type Extremes,
  type Kernels,
  type QuantizeOptions,
  type WeightSums,
} from '../types.js';
import { codeOf, GGML_CODES } from './configSchema.js';
import { encodeBlocks, encodeGroups } from './encode.js';
import type { HistogramEdges } from '../statistics/bins.js';
import type { WeightMoments } from '../statistics/moments.js';
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
  countUpper(x: number, n: number, counts: number): void;
  countLower(x: number, n: number, slots: number, counts: number): void;
  countBins(
    x: number,
    n: number,
    start: number,
    binWidth: number,
    bins: number,
    counts: number,
  ): void;
  sumForMean(x: number, n: number, out: number): number;
  sumPowersAround(x: number, n: number, mean: number, out: number): void;
  groupExtremes16(
    x: number,
    rows: number,
    columns: number,
    groupSize: number,
    special: number,
    positive: number,
    negative: number,
  ): void;
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

/** Lowest magnitude, as a code, that is not finite. */
const FIRST_SPECIAL: Partial<Record<ElementTypeName, number>> = { BF16: 0x7f80, F16: 0x7c00 };

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
    const places = {
      config: tables + TABLES.config,
      grid: tables + TABLES.grid,
      choices: tables + TABLES.choices,
    };
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
    return foldErrorSums(new Float64Array(memory.buffer, tables + TABLES.sums, RAW.length));
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
    return { ...foldErrorSums(sums), clipped };
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

  groupExtremes(shape: ChunkShape, groupSize: number): Extremes {
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
      positive: this.workspace.floats(outputAt, groups),
      negative: this.workspace.floats(negativeAt, groups),
    };
  }

  extremesAsRead(dtype: ElementTypeName, shape: ChunkShape, groupSize: number): Extremes {
    const special = FIRST_SPECIAL[dtype];
    if (special === undefined) return this.extremesOfDecoded(dtype, shape, groupSize);
    const { rawAt, weightsAt, outputAt } = this.workspace;
    const { rows, columns } = shape;
    const groups = rows * Math.ceil(columns / groupSize);
    // Decoding may write 15 elements too many.
    const codesAt = [weightsAt, weightsAt + align(groups * 2)];
    this.exports.groupExtremes16(rawAt, rows, columns, groupSize, special, codesAt[0], codesAt[1]);
    const decode = dtype === 'BF16' ? this.exports.decodeBF16 : this.exports.decodeF16;
    const negativeAt = outputAt + align(groups * 4);
    decode(codesAt[0], outputAt, groups);
    decode(codesAt[1], negativeAt, groups);
    return {
      positive: this.workspace.floats(outputAt, groups),
      negative: this.workspace.floats(negativeAt, groups),
    };
  }

  private extremesOfDecoded(
    dtype: ElementTypeName,
    shape: ChunkShape,
    groupSize: number,
  ): Extremes {
    const elements = shape.rows * shape.columns;
    this.decode(dtype, elements);
    this.inspect(elements);
    return this.groupExtremes(shape, groupSize);
  }

  countCodes(elements: number, counts: Uint32Array): void {
    this.exports.count16(this.workspace.rawAt, elements, counts.byteOffset);
  }

  moments(elements: number): WeightMoments {
    if (elements === 0) return this.reference.moments(0);
    const { tables, weightsAt, memory } = this.workspace;
    // Rare: weights that are not all finite.
    if (!this.exports.sumForMean(weightsAt, elements, tables + TABLES.sums)) {
      return this.reference.moments(elements);
    }
    const [sum, min, max, zeros] = new Float64Array(memory.buffer, tables + TABLES.sums, 4);
    const mean = sum / elements;
    this.exports.sumPowersAround(weightsAt, elements, mean, tables + TABLES.sums);
    const [m2, m3, m4] = new Float64Array(memory.buffer, tables + TABLES.sums, 3);
    return {
      moments: { count: elements, mean, m2, m3, m4 },
      min: min + 0,
      max: max + 0,
      zeros,
      nan: 0,
      inf: 0,
      firstNonFinite: -1,
    };
  }

  countUpper(elements: number, counts: Uint32Array): void {
    this.exports.countUpper(this.workspace.weightsAt, elements, counts.byteOffset);
  }

  countLower(elements: number, slots: Uint8Array, counts: Uint32Array): void {
    const { weightsAt } = this.workspace;
    this.exports.countLower(weightsAt, elements, slots.byteOffset, counts.byteOffset);
  }

  countBins(
    elements: number,
    { start, binWidth, bins }: HistogramEdges,
    counts: Uint32Array,
  ): void {
    const { weightsAt } = this.workspace;
    this.exports.countBins(weightsAt, elements, start, binWidth, bins, counts.byteOffset);
  }
}

/** Room for what a decoder writes beyond the end, at an address that vectors like. */
function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64 + 64;
}
