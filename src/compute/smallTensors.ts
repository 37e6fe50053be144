import type { MemoryRegion } from '../kernels/workspace.js';
import { AsymmetryList, type GroupAsymmetries } from '../kernels/statistics/asymmetry.js';
import { orderCodes } from '../kernels/statistics/codeOrder.js';
import type { WeightMoments } from '../kernels/statistics/moments.js';
import { countBySorting, type SparseCounts } from '../kernels/statistics/sparseCounts.js';
import { orderedBits } from '../kernels/statistics/valueOrder.js';
import type { Handlers } from '../rpc/rpc.js';
import { countBitsPerElement } from '../storage/elementTypes.js';
import type { ChunkLoader } from './chunkLoader.js';
import type { ChunkRef, ScratchTask } from './tasks.js';

/** Tensors of at most so many elements are counted by sorting: a table of all codes would cost more. */
export const MAX_SMALL_ELEMENTS = 4096;
/** Small tensors of one task: a message costs more than what one of them takes. */
export const MAX_SMALL_TENSORS = 64;

/** A whole tensor of at most {@link MAX_SMALL_ELEMENTS} elements. */
export interface SmallTensor {
  readonly chunk: ChunkRef;
  /** Columns per group, for asymmetries. */
  readonly groupSize?: number;
}

export interface SmallTensorsTask extends ScratchTask {
  /** At most {@link MAX_SMALL_TENSORS}. */
  readonly tensors: readonly SmallTensor[];
}

/** What is in a small tensor. */
export interface SmallCounts {
  /** By code; for element types of more than 16 bits by the f32's bits in the order of values. */
  readonly counts: SparseCounts;
  /** Of element types of more than 16 bits. */
  readonly moments?: WeightMoments;
  /** Index of the first NaN or ±Inf as stored, or −1. */
  readonly firstNonFinite: number;
  readonly asymmetries?: GroupAsymmetries;
}

/** What a compute worker does with tensors of which many fit into one task. */
export interface SmallTensorApi {
  countSmallTensors(task: SmallTensorsTask): Promise<readonly SmallCounts[]>;
}

export function makeSmallTensorMethods(loader: ChunkLoader): Handlers<SmallTensorApi> {
  return {
    async countSmallTensors({ tensors, region }) {
      const counted: SmallCounts[] = [];
      for (const tensor of tensors) counted.push(await countSmallTensor(loader, tensor, region));
      return counted;
    },
  };
}

async function countSmallTensor(
  loader: ChunkLoader,
  { chunk, groupSize }: SmallTensor,
  region: MemoryRegion,
): Promise<SmallCounts> {
  const kernels = await loader.read({ chunk, region });
  const { dtype } = chunk;
  const elements = chunk.rows * chunk.columns;
  const order = orderCodes(dtype);
  let counts: SparseCounts;
  let moments: WeightMoments | undefined;
  let firstNonFinite: number;
  if (order) {
    const bytes = kernels.input(dtype, elements);
    const wide = countBitsPerElement(dtype) === 16;
    const codes = wide ? new Uint16Array(bytes.buffer, bytes.byteOffset, elements) : bytes;
    counts = countBySorting(codes);
    const isSpecial = (code: number) => order.placeOf[code] >= order.finite;
    firstNonFinite = counts.keys.some(isSpecial) ? codes.findIndex(isSpecial) : -1;
  } else {
    kernels.decode(dtype, elements);
    moments = kernels.moments(elements);
    firstNonFinite = moments.firstNonFinite;
    const { buffer, byteOffset } = kernels.weights(elements);
    counts = countBySorting(new Uint32Array(buffer, byteOffset, elements).map(orderedBits));
  }
  if (groupSize === undefined) return { counts, moments, firstNonFinite };
  const widened = loader.widen({ chunk, region }).kernels;
  const { positive, negative } = widened.groupExtremes(chunk, groupSize);
  const list = new AsymmetryList(new Float32Array(positive.length));
  list.add(positive, negative);
  const { values, sum } = list.all();
  // A copy: a view would take all of its buffer along.
  return { counts, moments, firstNonFinite, asymmetries: { values: values.slice(), sum } };
}
