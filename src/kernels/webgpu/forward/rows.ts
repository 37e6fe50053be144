import { floatWord, gridOf, type GpuView, type Kernel } from '../gpu.js';
import combine from './combine.wgsl';
import functions from './functions.wgsl';
import map from './map.wgsl';
import {
  rowsOf,
  runsOf,
  words,
  type ForwardContext,
  type GpuMatrix,
  type RowRun,
} from './matrix.js';

/** Rows that go elsewhere, [rows × columns]. */
export interface GpuRows {
  readonly source: GpuMatrix;
  readonly rows: number;
  readonly columns: number;
  readonly target: GpuMatrix;
}

/** target[r] = source[indices[r]]; a row of the target whose index is not below `sourceRows` stays as it is. */
export interface GpuGather extends GpuRows {
  /** i32 [rows]. */
  readonly indices: GpuView;
  readonly sourceRows: number;
}

/** target[indices[r]] += weights[r]·source[r], for distinct indices; those not below `targetRows` are left out. */
export interface GpuScatter extends GpuRows {
  /** i32 [rows]. */
  readonly indices: GpuView;
  /** f32 [rows], all 1 where absent. */
  readonly weights?: GpuView;
  readonly targetRows: number;
}

/** Records values = values·factor, or with `cap` values = factor·tanh(values/factor). */
export function mapRows(
  { gpu }: ForwardContext,
  values: GpuMatrix,
  rows: number,
  columns: number,
  factor: number,
  cap: boolean,
): void {
  const kernel = gpu.kernel({
    name: 'map',
    code: `${map}\n${functions}`,
    access: ['write'],
    constants: { IS_CAP: Number(cap) },
  });
  for (const run of runsOf(rows, gpu.limits, [{ stride: values.stride, columns }])) {
    gpu.run(kernel, {
      views: [rowsOf(values, run, columns)],
      words: [run.count, columns, values.stride, floatWord(factor)],
      groups: gridOf(Math.ceil((run.count * columns) / 256), gpu.limits),
    });
  }
}

/** Records target = source, or with `adds` target += source. */
export function combineRows(context: ForwardContext, task: GpuRows, adds: boolean): void {
  const { source, target, rows, columns } = task;
  const parts = [source, target].map(({ stride }) => ({ stride, columns }));
  for (const run of runsOf(rows, context.gpu.limits, parts)) {
    record(context, task, { adds }, run, [
      rowsOf(target, run, columns),
      rowsOf(source, run, columns),
      context.nothing,
      context.nothing,
    ]);
  }
}

/** Records a gathering of rows. */
export function gatherRows(context: ForwardContext, task: GpuGather): void {
  const { source, sourceRows, indices, rows, columns, target } = task;
  const { limits } = context.gpu;
  const parts = [{ stride: target.stride, columns }];
  for (const run of runsOf(rows, limits, parts)) {
    for (const piece of runsOf(sourceRows, limits, [{ stride: source.stride, columns }])) {
      const views = [
        rowsOf(target, run, columns),
        rowsOf(source, piece, columns),
        words(indices, run.first, run.count),
        context.nothing,
      ];
      record(context, task, { gathers: true }, run, views, piece);
    }
  }
}

/** Records a scattering of rows. */
export function scatterAddRows(context: ForwardContext, task: GpuScatter): void {
  const { source, indices, weights, rows, columns, target, targetRows } = task;
  const { limits } = context.gpu;
  const parts = [{ stride: source.stride, columns }];
  for (const run of runsOf(rows, limits, parts)) {
    for (const piece of runsOf(targetRows, limits, [{ stride: target.stride, columns }])) {
      const views = [
        rowsOf(target, piece, columns),
        rowsOf(source, run, columns),
        words(indices, run.first, run.count),
        weights ? words(weights, run.first, run.count) : context.nothing,
      ];
      const kind = { adds: true, scatters: true, hasWeights: !!weights };
      record(context, task, kind, run, views, piece);
    }
  }
}

interface Kind {
  readonly adds?: boolean;
  readonly gathers?: boolean;
  readonly scatters?: boolean;
  readonly hasWeights?: boolean;
}

function record(
  { gpu }: ForwardContext,
  { source, target, columns }: GpuRows,
  kind: Kind,
  run: RowRun,
  views: readonly GpuView[],
  piece: RowRun = run,
): void {
  const kernel: Kernel = gpu.kernel({
    name: 'combine',
    code: combine,
    access: ['write', 'read', 'read', 'read'],
    constants: {
      ADDS: Number(!!kind.adds),
      GATHERS: Number(!!kind.gathers),
      SCATTERS: Number(!!kind.scatters),
      HAS_WEIGHTS: Number(!!kind.hasWeights),
    },
  });
  gpu.run(kernel, {
    views,
    words: [run.count, columns, target.stride, source.stride, piece.first, piece.count],
    groups: gridOf(Math.ceil((run.count * columns) / 256), gpu.limits),
  });
}
