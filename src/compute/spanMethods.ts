import { AsymmetryList } from '../kernels/statistics/asymmetry.js';
import { orderCodes } from '../kernels/statistics/codeOrder.js';
import { mergeWeightMoments, type WeightMoments } from '../kernels/statistics/moments.js';
import { ANY_NARROWER_TYPE, findNarrowerTypes } from '../kernels/statistics/narrowerType.js';
import { countBySorting, nonZero, type SparseCounts } from '../kernels/statistics/sparseCounts.js';
import type { Handlers } from '../rpc/rpc.js';
import { countBitsPerElement } from '../storage/elementTypes.js';
import type { ChunkLoader } from './chunkLoader.js';
import { cutIntoPieces, divideSpanRegion, SPAN_TABLES } from './spans.js';
import type { PlacedAsymmetries, SpanApi, StatisticsTask } from './tasks.js';

/** Fewer elements than this share of their tables' entries are sorted: clearing and scanning takes longer. */
const SORTED_SHARE = 1 / 8;

/** A list in the task's slot for the groups of a span, where the task asks for them. */
function asymmetryList(loader: ChunkLoader, { chunk, groupSize, output }: StatisticsTask) {
  if (groupSize === undefined || !output) return undefined;
  loader.ensureVisible(output.start + output.bytes);
  const groups = chunk.rows * Math.ceil(chunk.columns / groupSize);
  return new AsymmetryList(new Float32Array(loader.memory.buffer, output.start, groups));
}

/** Says where in the shared memory a list lies. */
function placed(list: AsymmetryList | undefined): PlacedAsymmetries | undefined {
  if (!list) return undefined;
  const { values, sum } = list.all();
  return { at: values.byteOffset, count: values.length, sum };
}

/** What a worker counts in spans of tensors. Counts are merged here: only what occurs goes back. */
export function makeSpanMethods(loader: ChunkLoader): Handlers<SpanApi> {
  return {
    async countCodes(task) {
      const { chunk, groupSize } = task;
      const order = orderCodes(chunk.dtype);
      if (!order) throw new Error(`${chunk.dtype} has more than 16 bits`);
      const { kernels, tables, read } = divideSpanRegion(loader, task);
      const wide = countBitsPerElement(chunk.dtype) === 16;
      const counts = wide ? tables(1).fill(0) : new Uint32Array(256);
      const asymmetries = asymmetryList(loader, task);
      let firstNonFinite = -1;
      for (const piece of cutIntoPieces(chunk, groupSize)) {
        const bytes = await read(piece);
        const elements = piece.rows * piece.columns;
        const codes = wide ? new Uint16Array(bytes.buffer, bytes.byteOffset, elements) : bytes;
        if (wide) kernels.countCodes(elements, counts);
        else for (let i = 0; i < elements; i++) counts[codes[i]]++;
        if (firstNonFinite < 0 && order.special.some((code) => counts[code] > 0)) {
          const { placeOf, finite } = order;
          firstNonFinite = piece.first + codes.findIndex((code) => placeOf[code] >= finite);
        }
        if (asymmetries && groupSize !== undefined) {
          const { positive, negative } = kernels.extremesAsRead(chunk.dtype, piece, groupSize);
          asymmetries.add(positive, negative, piece.continues);
        }
      }
      return { codes: nonZero(counts), firstNonFinite, asymmetries: placed(asymmetries) };
    },
    async wideStatistics(task) {
      const { chunk, groupSize } = task;
      const { kernels, tables, read } = divideSpanRegion(loader, task);
      const counts = tables(1).fill(0);
      const asymmetries = asymmetryList(loader, task);
      let found: WeightMoments | undefined;
      const isStoredSo = chunk.dtype === 'F32' && chunk.source.kind !== 'decoded';
      let narrower = isStoredSo ? ANY_NARROWER_TYPE : 0;
      for (const piece of cutIntoPieces(chunk, groupSize)) {
        await read(piece);
        const elements = piece.rows * piece.columns;
        kernels.decode(chunk.dtype, elements);
        if (narrower !== 0) narrower &= findNarrowerTypes(bitsOf(kernels.weights(elements)));
        const here = kernels.moments(elements);
        found = mergeWeightMoments(found, here, piece.first);
        kernels.countUpper(elements, counts);
        if (asymmetries && groupSize !== undefined) {
          // Replaces NaN and ±Inf by 0.
          if (here.firstNonFinite >= 0) kernels.inspect(elements);
          const { positive, negative } = kernels.groupExtremes(piece, groupSize);
          asymmetries.add(positive, negative, piece.continues);
        }
      }
      return { ...found!, uppers: nonZero(counts), narrower, asymmetries: placed(asymmetries) };
    },
    async refineStatistics(task) {
      const { chunk, edges, uppers } = task;
      if (uppers.length > SPAN_TABLES - 1) throw new Error('Too many quantiles for one pass');
      const { kernels, tables, slots, read } = divideSpanRegion(loader, task);
      const all = tables(SPAN_TABLES);
      const counts = all.subarray(0, uppers.length * 65536);
      // The last table; as large as histograms may be.
      const bins = all.subarray((SPAN_TABLES - 1) * 65536).subarray(0, edges?.bins ?? 0);
      if (edges && edges.bins > 65536) throw new Error('A histogram has 65,536 bins at most');
      bins.fill(0);
      slots.fill(0);
      uppers.forEach((upper, index) => (slots[upper] = index + 1));
      // Such a span is one piece.
      const sorted = chunk.rows * chunk.columns < counts.length * SORTED_SHARE;
      let lowers: SparseCounts | undefined;
      if (!sorted) counts.fill(0);
      for (const piece of cutIntoPieces(chunk)) {
        await read(piece);
        const elements = piece.columns;
        kernels.decode(chunk.dtype, elements);
        if (edges) kernels.countBins(elements, edges, bins);
        if (sorted) lowers = countBySorting(lowerKeys(bitsOf(kernels.weights(elements)), slots));
        else kernels.countLower(elements, slots, counts);
      }
      return { histogram: bins.slice(), lowers: lowers ?? nonZero(counts) };
    },
  };
}

function bitsOf({ buffer, byteOffset, length }: Float32Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

/** Index of the table × 65,536 + lower half, for those that have a table. */
function lowerKeys(bits: Uint32Array, slots: Uint8Array): Uint32Array {
  const keys = new Uint32Array(bits.length);
  let found = 0;
  for (let i = 0; i < bits.length; i++) {
    const slot = slots[bits[i] >>> 16];
    if (slot > 0) keys[found++] = (slot - 1) * 65536 + (bits[i] & 0xffff);
  }
  return keys.subarray(0, found);
}
