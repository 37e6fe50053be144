import { gridOf, type GpuView, type KernelSource } from '../gpu.js';
import inputsFloats from './inputsFloats.wgsl';
import inputsVectors from './inputsVectors.wgsl';
import {
  rowsOf,
  runsOf,
  words,
  type ForwardContext,
  type GpuMatrix,
  type RowRun,
} from './matrix.js';
import product from './product.wgsl';
import productLarge from './productLarge.wgsl';
import productSmall from './productSmall.wgsl';
import { threadsThatShare, type ProductVariant } from './productVariants.js';
import rowsFromMemory from './rowsFromMemory.wgsl';
import rowsFromSubgroups from './rowsFromSubgroups.wgsl';
import weightsCodes from './weightsCodes.wgsl';
import weightsFloats from './weightsFloats.wgsl';
import weightsVectors from './weightsVectors.wgsl';

interface Product {
  /** [rows × inputs]. */
  readonly inputs: GpuMatrix;
  /** f32 [outputs]. */
  readonly bias?: GpuView;
  /** [rows × outputs]. */
  readonly output: GpuMatrix;
  readonly rows: number;
  readonly outputs: number;
  /** Length of a row of the inputs. */
  readonly columns: number;
  /** Add to the output instead of writing it. */
  readonly accumulate?: boolean;
}

/** output[m, n] = Σₖ x[m, k]·w[n, k] + bias[n]. */
export interface GpuProduct extends Product {
  /** f32 [outputs × columns], rows side by side. */
  readonly weights: GpuView;
}

/**
 * The same with weights of 4 bits. A weight is its group's scale times `code − zero point`, or times the
 * code's level.
 */
export interface GpuPackedProduct extends Product {
  /** u32 [outputs × ⌈columns/8⌉]: 8 codes each, the first in the lowest bits. */
  readonly codes: GpuView;
  /** Columns that share a scale; the last group of a row may be shorter. */
  readonly groupSize: number;
  /** f32 [outputs × groups]. */
  readonly scales: GpuView;
  /** f32 [outputs × groups] of weights below zero, where they have scales of their own. */
  readonly negativeScales?: GpuView;
  /** Of codes: zero points, f32 [outputs × groups], or 16 levels, f32. */
  readonly decoding: { readonly zeroPoints: GpuView } | { readonly levels: GpuView };
}

/** Weights of some outputs. */
interface Weights {
  /** Shader text that loads them. */
  readonly code: string;
  readonly name: string;
  readonly constants?: Readonly<Record<string, number>>;
  /** Words of the longest binding for one output. */
  readonly width: number;
  views(run: RowRun): readonly GpuView[];
  readonly words: readonly number[];
  readonly areVectors: boolean;
}

/** Workgroups from which on there are enough large tiles to keep a device busy. */
const MANY_TILES = 96;

/** Records a product. */
export function multiply(context: ForwardContext, task: GpuProduct): void {
  multiplyRuns(context, task, floatsOf(task));
}

/** The shader with which a variant computes a product. */
export function shaderOf(
  context: ForwardContext,
  task: GpuProduct,
  variant: ProductVariant,
): KernelSource {
  return sourceOf(context, floatsOf(task), variant);
}

function floatsOf({ weights, columns, inputs }: GpuProduct): Weights {
  const areVectors =
    columns % 4 === 0 && weights.offset % 16 === 0 && startsVectors(inputs, columns);
  return {
    code: areVectors ? weightsVectors : weightsFloats,
    name: areVectors ? 'vectors' : 'floats',
    width: columns,
    views: ({ first, count }) => [words(weights, first * columns, count * columns)],
    words: [],
    areVectors,
  };
}

/** Records a product of packed weights. */
export function multiplyPacked(context: ForwardContext, task: GpuPackedProduct): void {
  const { codes, groupSize, scales, negativeScales, decoding, columns, inputs } = task;
  const rowWords = Math.ceil(columns / 8);
  const groups = Math.ceil(columns / groupSize);
  const hasLevels = 'levels' in decoding;
  multiplyRuns(context, task, {
    code: weightsCodes,
    name: 'codes',
    constants: { HAS_LEVELS: Number(hasLevels), HAS_NEGATIVE: Number(!!negativeScales) },
    width: Math.max(rowWords, groups),
    views: ({ first, count }) => {
      const ofGroups = (view: GpuView): GpuView => words(view, first * groups, count * groups);
      return [
        words(codes, first * rowWords, count * rowWords),
        ofGroups(scales),
        hasLevels ? words(decoding.levels, 0, 16) : ofGroups(decoding.zeroPoints),
        negativeScales ? ofGroups(negativeScales) : context.nothing,
      ];
    },
    words: [groupSize, rowWords, groups],
    areVectors: startsVectors(inputs, columns),
  });
}

function startsVectors({ view, stride }: GpuMatrix, columns: number): boolean {
  return view.offset % 16 === 0 && stride % 4 === 0 && columns % 4 === 0;
}

function multiplyRuns(context: ForwardContext, task: Product, weights: Weights): void {
  const { gpu, nothing, products } = context;
  const { inputs, output, bias, rows, outputs, columns, accumulate } = task;
  const { limits } = gpu;
  if (rows === 0) return;
  const { width: stride } = weights;
  for (const part of runsOf(outputs, limits, [{ stride, columns: stride }], 128)) {
    const strides = [
      { stride: inputs.stride, columns },
      { stride: output.stride, columns: part.count },
    ];
    for (const run of runsOf(rows, limits, strides, 128)) {
      const target: GpuMatrix = { view: words(output.view, part.first, 0), stride: output.stride };
      const count = (tile: number): number =>
        Math.ceil(run.count / tile) * Math.ceil(part.count / tile);
      const areMany = run.count > 64 && part.count > 64 && count(128) >= MANY_TILES;
      const variant = areMany ? products.many : products.few;
      gpu.run(gpu.kernel(sourceOf(context, weights, variant)), {
        views: [
          rowsOf(inputs, run, columns),
          bias ? words(bias, part.first, part.count) : nothing,
          rowsOf(target, run, part.count),
          ...weights.views(part),
        ],
        words: [
          ...[run.count, part.count, columns, inputs.stride, output.stride],
          ...[Number(!!bias), Number(!!accumulate)],
          ...weights.words,
        ],
        groups: gridOf(count(variant.tile), limits),
      });
    }
  }
}

function sourceOf(
  { gpu }: ForwardContext,
  weights: Weights,
  { tile, subgroups }: ProductVariant,
): KernelSource {
  const { code, name, constants, areVectors } = weights;
  const kind = subgroups ? `${tile} in subgroups` : tile;
  const views = code === weightsCodes ? 4 : 1;
  return {
    name: `product of ${name} and ${areVectors ? 'vectors' : 'floats'}, ${kind}`,
    code: [
      subgroups ? rowsFromSubgroups : rowsFromMemory,
      tile === 128 ? productLarge : productSmall,
      product,
      areVectors ? inputsVectors : inputsFloats,
      code,
    ].join('\n'),
    access: ['read', 'read', 'write', ...Array.from({ length: views }, () => 'read' as const)],
    constants: subgroups ? { ...constants, HELD: threadsThatShare(gpu.limits) } : constants,
  };
}
