import { floatWord, gridOf, type GpuView } from '../gpu.js';
import attention from './attention.wgsl';
import attentionFloats from './attentionFloats.wgsl';
import attentionVectors from './attentionVectors.wgsl';
import functions from './functions.wgsl';
import {
  columnsFrom,
  rowsOf,
  rowsThatFit,
  runsOf,
  type ForwardContext,
  type GpuMatrix,
} from './matrix.js';
import { combineRows } from './rows.js';

/** Causal attention of all heads over one window: softmax(scale·q·kᵀ)·v. */
export interface GpuAttention {
  /** Positions of the window. */
  readonly rows: number;
  readonly heads: number;
  /** Head h reads keys and values of head ⌊h / (heads / keyValueHeads)⌋. */
  readonly keyValueHeads: number;
  /** At most 256. */
  readonly headSize: number;
  /** Factor on q·k. */
  readonly scale: number;
  /** Positions that one sees, itself included; 0: all before it. */
  readonly window: number;
  /** Scores s become cap·tanh(s/cap) after scaling; 0: no cap. */
  readonly softCap: number;
  readonly queries: GpuMatrix;
  /** Floats from one head to the next; likewise below. */
  readonly queryStride: number;
  readonly keys: GpuMatrix;
  readonly keyStride: number;
  readonly values: GpuMatrix;
  readonly valueStride: number;
  /** [rows × heads × headSize], in another buffer than the others. */
  readonly output: GpuMatrix;
}

/** Elements of a head that threads can hold. */
export const MAX_HEAD_SIZE = 256;

/** Records the attention of a window. */
export function attend(context: ForwardContext, task: GpuAttention): void {
  const { rows, keyValueHeads, headSize, keys, keyStride, values, valueStride } = task;
  if (headSize > MAX_HEAD_SIZE) throw new Error(`Heads of ${headSize} elements are too long`);
  if (rows === 0) return;
  const { limits } = context.gpu;
  const fits = [[keys, keyStride] as const, [values, valueStride] as const].every(
    ([{ stride }, step]) =>
      rowsThatFit(limits, stride, (keyValueHeads - 1) * step + headSize) >= rows,
  );
  if (fits) record(context, task);
  else attendApart(context, task);
}

/** Copies keys and values of one head after another to where they lie closer. */
function attendApart(context: ForwardContext, task: GpuAttention): void {
  const { rows, heads, keyValueHeads, headSize, queries, queryStride, output } = task;
  const { gpu } = context;
  const sharing = heads / keyValueHeads;
  const stride = Math.ceil(headSize / 4) * 4;
  const compact = [0, 1].map((): GpuMatrix => ({ view: gpu.acquire(rows * stride * 4), stride }));
  const [keys, values] = compact;
  for (let head = 0; head < keyValueHeads; head++) {
    const shape = { rows, columns: headSize };
    const from = columnsFrom(task.keys, head * task.keyStride);
    combineRows(context, { ...shape, source: from, target: keys }, false);
    const other = columnsFrom(task.values, head * task.valueStride);
    combineRows(context, { ...shape, source: other, target: values }, false);
    const first = head * sharing;
    record(context, {
      ...task,
      ...{ heads: sharing, keyValueHeads: 1, keys, values },
      queries: columnsFrom(queries, first * queryStride),
      output: columnsFrom(output, first * headSize),
    });
  }
  gpu.release(...compact.map(({ view }) => view));
}

function record({ gpu }: ForwardContext, task: GpuAttention): void {
  const { rows, heads, keyValueHeads, headSize, scale, window, softCap } = task;
  const { queries, queryStride, keys, keyStride, values, valueStride, output } = task;
  const { limits } = gpu;
  const strides = [queries, keys, values].map(({ stride }) => stride);
  const areVectors = [
    ...[headSize, queryStride, keyStride, valueStride, ...strides],
    ...[queries, keys, values].map(({ view }) => view.offset / 4),
  ].every((words) => words % 4 === 0);
  const kernel = gpu.kernel({
    name: `attention of ${areVectors ? 'vectors' : 'floats'}`,
    code: [attention, areVectors ? attentionVectors : attentionFloats, functions].join('\n'),
    access: ['read', 'read', 'read', 'write'],
    constants: { RUNS: Math.ceil(headSize / 64), HAS_CAP: Number(softCap > 0) },
  });
  const widthOf = (count: number, stride: number): number => (count - 1) * stride + headSize;
  const parts = [
    { stride: queries.stride, columns: widthOf(heads, queryStride) },
    { stride: output.stride, columns: heads * headSize },
  ];
  for (const run of runsOf(rows, limits, parts, 64)) {
    const seen = { first: 0, count: run.first + run.count };
    const views: GpuView[] = [
      rowsOf(queries, run, widthOf(heads, queryStride)),
      rowsOf(keys, seen, widthOf(keyValueHeads, keyStride)),
      rowsOf(values, seen, widthOf(keyValueHeads, valueStride)),
      rowsOf(output, run, heads * headSize),
    ];
    gpu.run(kernel, {
      views,
      words: [
        ...[run.first, run.count, heads, heads / keyValueHeads, headSize, window],
        ...[queries.stride, queryStride, keys.stride, keyStride, values.stride, valueStride],
        ...[output.stride, floatWord(scale), floatWord(softCap)],
      ],
      groups: gridOf(Math.ceil(run.count / 64) * heads, limits),
    });
  }
}
