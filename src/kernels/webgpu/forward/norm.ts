import { floatWord, gridOf, type GpuView } from '../gpu.js';
import { coverOf, rowsOf, runsOf, words, type ForwardContext, type GpuMatrix } from './matrix.js';
import norm from './norm.wgsl';
import reduce from './reduce.wgsl';

/** Runs of a row that are normed each alone, in the source and in the target. */
export interface NormHeads {
  readonly count: number;
  /** Floats from one run to the next. */
  readonly stride: number;
  /** Head h has weight and bias from h · columns on; otherwise all have the same. */
  readonly ownWeights: boolean;
}

interface Norm {
  readonly source: GpuMatrix;
  /** May be the source. */
  readonly target: GpuMatrix;
  readonly rows: number;
  /** Length of what is normed. */
  readonly columns: number;
  readonly epsilon: number;
  /** f32 [columns], or [heads × columns]. */
  readonly weight?: GpuView;
  readonly heads?: NormHeads;
}

/** x / √(mean(x²) + epsilon) · (weight + weightOffset). */
export interface GpuRmsNorm extends Norm {
  readonly weightOffset: number;
}

/** (x − mean) / √(variance + epsilon) · weight + bias. */
export interface GpuLayerNorm extends Norm {
  /** Of the weight's shape. */
  readonly bias?: GpuView;
}

/** Records an RMS norm. */
export function rmsNorm(context: ForwardContext, task: GpuRmsNorm): void {
  record(context, { ...task, isCentered: false });
}

/** Records a layer norm. */
export function layerNorm(context: ForwardContext, task: GpuLayerNorm): void {
  record(context, { ...task, isCentered: true, weightOffset: 0 });
}

/** Runs up to this length are normed by workgroups of 64 threads, longer ones by 256. */
const SHORT = 512;

function record(
  { gpu, nothing }: ForwardContext,
  task: GpuRmsNorm & GpuLayerNorm & { readonly isCentered: boolean },
): void {
  const { source, target, rows, columns, epsilon, weight, weightOffset, bias, isCentered } = task;
  const heads = task.heads ?? { count: 1, stride: 0, ownWeights: false };
  const width = (heads.count - 1) * heads.stride + columns;
  const weights = heads.ownWeights ? heads.count * columns : columns;
  const parts = [source, target].map(({ stride }) => ({ stride, columns: width }));
  for (const run of runsOf(rows, gpu.limits, parts)) {
    const [from, to] = [rowsOf(source, run, width), rowsOf(target, run, width)];
    const cover = coverOf(gpu.limits, [from, to]);
    const kernel = gpu.kernel({
      name: 'norm',
      code: `${norm}\n${reduce}`,
      access: ['write', 'read', 'read', 'read'],
      constants: {
        ...(columns > SHORT ? { WIDTH: 256, SIDE: 16 } : { WIDTH: 64, SIDE: 8 }),
        IS_CENTERED: Number(isCentered),
        IN_PLACE: Number(!!cover),
        HAS_WEIGHT: Number(!!weight),
        HAS_BIAS: Number(!!bias),
      },
    });
    gpu.run(kernel, {
      views: [
        cover ?? to,
        weight ? words(weight, 0, weights) : nothing,
        bias ? words(bias, 0, weights) : nothing,
        cover ? nothing : from,
      ],
      words: [
        ...[run.count, columns, heads.count, heads.stride, source.stride, target.stride],
        ...(cover ? [(to.offset - cover.offset) / 4, (from.offset - cover.offset) / 4] : [0, 0]),
        ...[heads.ownWeights ? columns : 0, floatWord(epsilon), floatWord(weightOffset)],
      ],
      groups: gridOf(run.count * heads.count, gpu.limits),
    });
  }
}
