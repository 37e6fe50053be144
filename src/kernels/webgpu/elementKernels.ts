import type { ElementTypeName } from '../../storage/elementTypes.js';
import type { ChunkShape, Extremes, WeightSums } from '../types.js';
import countCodesCode from './countCodes.wgsl';
import decodeCode from './decode.wgsl';
import { DECODED_TYPES, isDecodedOnGpu } from './elementTypes.js';
import { unscaleSquares } from './errorSums.js';
import exact from './exact.wgsl';
import extremesCode from './extremes.wgsl';
import { gridOf, type Gpu, type GpuView } from './gpu.js';
import inspectCode from './inspect.wgsl';
import type { Readback } from './readback.js';
import transposeCode from './transpose.wgsl';
import { lanesFor, WEIGHTS_OF_WORKGROUP, WORKGROUP } from './workgroups.js';

/** Words that a workgroup of `inspect.wgsl` writes. */
const INSPECTED_WORDS = 8;

/** Kernels that see weights one by one. */
export class ElementKernels {
  constructor(
    private readonly gpu: Gpu,
    private readonly readback: Readback,
  ) {}

  canDecode(dtype: ElementTypeName): boolean {
    return isDecodedOnGpu(dtype);
  }

  decode(dtype: ElementTypeName, source: GpuView, elements: number, target: GpuView): void {
    const words = DECODED_TYPES[dtype];
    if (!words) throw new Error(`Weights of type ${dtype} are not decoded on the GPU`);
    const kernel = this.gpu.kernel({
      name: 'decode',
      code: `${decodeCode}\n${exact}`,
      access: ['read', 'write'],
    });
    const groups = gridOf(Math.ceil(elements / WORKGROUP), this.gpu.limits);
    this.gpu.run(kernel, { views: [source, target], words: [0, elements, ...words], groups });
  }

  transpose(source: GpuView, target: GpuView, rows: number, columns: number): void {
    const kernel = this.gpu.kernel({
      name: 'transpose',
      code: `${transposeCode}\n${exact}`,
      access: ['read', 'write'],
    });
    const across = Math.ceil(columns / 16);
    const groups = gridOf(across * Math.ceil(rows / 16), this.gpu.limits);
    this.gpu.run(kernel, { views: [source, target], words: [0, rows, columns, across], groups });
  }

  inspect(weights: GpuView, elements: number): Promise<WeightSums> {
    const kernel = this.gpu.kernel({
      name: 'inspect',
      code: `${inspectCode}\n${exact}`,
      access: ['write', 'write'],
    });
    const workgroups = Math.ceil(elements / WEIGHTS_OF_WORKGROUP);
    const { view, result } = this.readback.reserve(workgroups * INSPECTED_WORDS, (words) =>
      foldInspected(words, elements),
    );
    const groups = gridOf(workgroups, this.gpu.limits);
    this.gpu.run(kernel, { views: [weights, view], words: [0, elements], groups });
    return result;
  }

  groupExtremes(
    weights: GpuView,
    { rows, columns }: ChunkShape,
    groupSize: number,
  ): Promise<Extremes> {
    const kernel = this.gpu.kernel({
      name: 'extremes',
      code: `${extremesCode}\n${exact}`,
      access: ['read', 'write'],
    });
    const perRow = Math.ceil(columns / groupSize);
    const groups = rows * perRow;
    const lanes = lanesFor(Math.min(groupSize, columns));
    const { view, result } = this.readback.reserve(2 * groups, (words) => {
      const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
      return { positive: floats.slice(0, groups), negative: floats.slice(groups) };
    });
    this.gpu.run(kernel, {
      views: [weights, view],
      words: [0, columns, groupSize, perRow, groups, lanes],
      groups: gridOf(Math.ceil((groups * lanes) / WORKGROUP), this.gpu.limits),
    });
    return result;
  }

  countCodes(source: GpuView, elements: number, counts: GpuView): void {
    const kernel = this.gpu.kernel({
      name: 'countCodes',
      code: `${countCodesCode}\n${exact}`,
      access: ['read', 'write'],
    });
    const groups = gridOf(Math.ceil(elements / 2 / WORKGROUP), this.gpu.limits);
    this.gpu.run(kernel, { views: [source, counts], words: [0, elements], groups });
  }
}

/** Folds what the workgroups of `inspect.wgsl` wrote. */
function foldInspected(words: Uint32Array, elements: number): WeightSums {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  let [nonFinite, firstNonFinite, zeros, sumSquares] = [0, -1, 0, 0];
  let [min, max] = [Infinity, -Infinity];
  for (let at = 0; at < words.length; at += INSPECTED_WORDS) {
    if (nonFinite === 0 && words[at] > 0) firstNonFinite = words[at + 1];
    nonFinite += words[at];
    zeros += words[at + 2];
    min = Math.min(min, floats[at + 3]);
    max = Math.max(max, floats[at + 4]);
    const largest = Math.max(Math.abs(floats[at + 3]), Math.abs(floats[at + 4]));
    sumSquares += unscaleSquares(floats[at + 5], largest);
  }
  return { elements, nonFinite, firstNonFinite, zeros, sumSquares, min, max };
}
