import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { countStoredBytes } from '../../storage/elementTypes.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';
import {
  foldErrorSums,
  type ChunkShape,
  type EncodedChunk,
  type Kernels,
  type QuantizeOptions,
  type WeightSums,
} from '../types.js';
import { binOf, type HistogramEdges } from '../statistics/bins.js';
import { weightMoments, type WeightMoments } from '../statistics/moments.js';
import type { Workspace } from '../workspace.js';
import { decodeElements } from '../../storage/elementValues.js';
import { encodeChunk } from './encodeChunk.js';
import { quantizeChunk } from './quantizeChunk.js';
import { findGroupRange } from './groupQuantizer.js';

/** Sums over a chunk's weights; NaN and ±Inf are replaced by 0 first. See {@link WeightSums}. */
export function inspectWeights(weights: Float32Array): WeightSums {
  let nonFinite = 0;
  let firstNonFinite = -1;
  let zeros = 0;
  const lanes = [0, 0, 0, 0];
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < weights.length; i++) {
    if (!Number.isFinite(weights[i])) {
      if (nonFinite === 0) firstNonFinite = i;
      nonFinite++;
      weights[i] = 0;
    }
    const weight = weights[i];
    lanes[i & 3] += weight * weight;
    if (weight === 0) zeros++;
    if (weight < min) min = weight;
    if (weight > max) max = weight;
  }
  return {
    elements: weights.length,
    nonFinite,
    firstNonFinite,
    zeros: zeros - nonFinite,
    sumSquares: lanes[0] + lanes[2] + (lanes[1] + lanes[3]),
    // Never −0, which vector minima leave to chance.
    min: min + 0,
    max: max + 0,
  };
}

/** The kernels as plain TypeScript over the same memory: slow, and what `wasm` is held against. */
export class ReferenceKernels implements Kernels {
  readonly backend = 'reference';

  constructor(private readonly workspace: Workspace) {}

  input(dtype: ElementTypeName, elements: number): Uint8Array {
    this.workspace.checkCapacity(elements);
    const bytes = countStoredBytes(dtype, elements);
    return this.workspace.bytes(this.workspace.inputAt(dtype), bytes);
  }

  decode(dtype: ElementTypeName, elements: number): void {
    decodeElements(dtype, this.input(dtype, elements), this.weights(elements));
  }

  weights(elements: number): Float32Array {
    return this.workspace.floats(this.workspace.weightsAt, elements);
  }

  inspect(elements: number): WeightSums {
    return inspectWeights(this.weights(elements));
  }

  quantize(
    format: NumberFormat,
    scaleDtype: ScaleDtype,
    shape: ChunkShape,
    options: QuantizeOptions = {},
  ) {
    const elements = shape.rows * shape.columns;
    const output = options.keepOutput ? this.output(elements) : undefined;
    const weights = this.weights(elements);
    const { tensorRange } = options;
    return foldErrorSums(
      quantizeChunk({ format, scaleDtype, shape, weights, output, tensorRange }),
    );
  }

  output(elements: number): Float32Array {
    return this.workspace.floats(this.workspace.outputAt, elements);
  }

  encode(
    format: NumberFormat,
    scaleDtype: ScaleDtype,
    shape: ChunkShape,
    { tensorRange }: Pick<QuantizeOptions, 'tensorRange'> = {},
  ): EncodedChunk {
    const weights = this.weights(shape.rows * shape.columns);
    return encodeChunk(format, scaleDtype, shape, weights, tensorRange);
  }

  groupExtremes(shape: ChunkShape, groupSize: number) {
    const weights = this.weights(shape.rows * shape.columns);
    const perRow = Math.ceil(shape.columns / groupSize);
    const positive = new Float32Array(shape.rows * perRow);
    const negative = new Float32Array(shape.rows * perRow);
    for (let group = 0; group < positive.length; group++) {
      const row = Math.floor(group / perRow);
      const column = (group % perRow) * groupSize;
      const start = row * shape.columns + column;
      const end = start + Math.min(groupSize, shape.columns - column);
      const { lo, hi } = findGroupRange(weights.subarray(start, end));
      positive[group] = hi;
      negative[group] = 0 - lo;
    }
    return { positive, negative };
  }

  extremesAsRead(dtype: ElementTypeName, shape: ChunkShape, groupSize: number) {
    const elements = shape.rows * shape.columns;
    this.decode(dtype, elements);
    this.inspect(elements);
    return this.groupExtremes(shape, groupSize);
  }

  countCodes(elements: number, counts: Uint32Array): void {
    const { memory, rawAt } = this.workspace;
    const codes = new Uint16Array(memory.buffer, rawAt, elements);
    for (let i = 0; i < elements; i++) counts[codes[i]]++;
  }

  moments(elements: number): WeightMoments {
    return weightMoments(this.weights(elements));
  }

  countUpper(elements: number, counts: Uint32Array): void {
    const bits = this.bits(elements);
    for (let i = 0; i < elements; i++) counts[bits[i] >>> 16]++;
  }

  countLower(elements: number, slots: Uint8Array, counts: Uint32Array): void {
    const bits = this.bits(elements);
    for (let i = 0; i < elements; i++) {
      const slot = slots[bits[i] >>> 16];
      if (slot > 0) counts[(slot - 1) * 65536 + (bits[i] & 0xffff)]++;
    }
  }

  countBins(elements: number, edges: HistogramEdges, counts: Uint32Array): void {
    for (const weight of this.weights(elements)) {
      if (Number.isFinite(weight)) counts[binOf(weight, edges)]++;
    }
  }

  private bits(elements: number): Uint32Array {
    return new Uint32Array(this.workspace.memory.buffer, this.workspace.weightsAt, elements);
  }
}
