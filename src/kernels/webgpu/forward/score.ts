import { SCORE } from '../../forwardKernels.js';
import { gridOf, type GpuView } from '../gpu.js';
import clear from './clearScores.wgsl';
import diverge from './diverge.wgsl';
import functions from './functions.wgsl';
import {
  rowsOf,
  runsOf,
  words,
  type ForwardContext,
  type GpuMatrix,
  type RowRun,
} from './matrix.js';
import reduce from './reduce.wgsl';
import score from './score.wgsl';
import sumWords from './sums.wgsl';

/** Logits of some tokens that follow one another in the vocabulary, for some rows. */
export interface GpuLogitTile {
  readonly logits: GpuMatrix;
  readonly rows: number;
  readonly columns: number;
  /** Token of the first column. */
  readonly firstToken: number;
  /** i32 [rows]; −1: none. */
  readonly targets: GpuView;
  /**
   * Running sums, f32 [rows × 8] in the order of {@link SCORE}; the top token is a u32. −∞ is
   * {@link LOWEST_SCORE}.
   */
  readonly sums: GpuView;
}

/** The same tile of logits of the base model and of another. */
export interface GpuDivergenceTile {
  readonly base: GpuMatrix;
  readonly logits: GpuMatrix;
  readonly rows: number;
  readonly columns: number;
  /** The base model's running sums, this tile included. */
  readonly baseSums: GpuView;
  /** The other's, this tile included. */
  readonly sums: GpuView;
}

/** What stands for −∞ among running sums; no logit is less. */
export const LOWEST_SCORE = Math.fround(-1e38);

const code = [functions, reduce, sumWords].join('\n');

/** Records that running sums start anew. */
export function clearScores({ gpu }: ForwardContext, sums: GpuView, rows: number): void {
  const kernel = gpu.kernel({
    name: 'clear scores',
    code: `${clear}\n${sumWords}`,
    access: ['write'],
  });
  for (const run of runsOf(rows, gpu.limits, [sumRows])) {
    gpu.run(kernel, {
      views: [sumsOf(sums, run)],
      words: [run.count],
      groups: gridOf(Math.ceil(run.count / 256), gpu.limits),
    });
  }
}

/** Records that a tile of logits is taken into running sums. */
export function scoreTile({ gpu }: ForwardContext, task: GpuLogitTile): void {
  const { logits, rows, columns, firstToken, targets, sums } = task;
  const kernel = gpu.kernel({
    name: 'score',
    code: `${score}\n${code}`,
    access: ['read', 'read', 'write'],
  });
  for (const run of runsOf(rows, gpu.limits, [{ stride: logits.stride, columns }, sumRows])) {
    gpu.run(kernel, {
      views: [
        rowsOf(logits, run, columns),
        words(targets, run.first, run.count),
        sumsOf(sums, run),
      ],
      words: [run.count, columns, logits.stride, firstToken],
      groups: gridOf(run.count, gpu.limits),
    });
  }
}

/** Records that tiles of two models are taken into the sums of both divergences. */
export function divergeTile({ gpu }: ForwardContext, task: GpuDivergenceTile): void {
  const { base, logits, rows, columns, baseSums, sums } = task;
  const kernel = gpu.kernel({
    name: 'diverge',
    code: `${diverge}\n${code}`,
    access: ['read', 'read', 'read', 'write'],
  });
  const parts = [base, logits].map(({ stride }) => ({ stride, columns }));
  for (const run of runsOf(rows, gpu.limits, [...parts, sumRows])) {
    gpu.run(kernel, {
      views: [
        ...[rowsOf(base, run, columns), rowsOf(logits, run, columns)],
        ...[sumsOf(baseSums, run), sumsOf(sums, run)],
      ],
      words: [run.count, columns, base.stride, logits.stride],
      groups: gridOf(run.count, gpu.limits),
    });
  }
}

const sumRows = { stride: SCORE.length, columns: SCORE.length };

function sumsOf(sums: GpuView, { first, count }: RowRun): GpuView {
  return words(sums, first * SCORE.length, count * SCORE.length);
}
