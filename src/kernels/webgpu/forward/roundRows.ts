import type { RowRounding } from '../../forwardKernels.js';
import exact from '../exact.wgsl';
import { floatWord, gridOf } from '../gpu.js';
import rounding from '../rounding.wgsl';
import { TIES } from '../ruleShaders.js';
import { rowsOf, runsOf, type ForwardContext } from './matrix.js';
import roundRowsCode from './roundRows.wgsl';
import type { GpuRows } from './rows.js';

/** Rows that are rounded to levels times a scale; the target may be the source. */
export type GpuRowRounding = GpuRows & Pick<RowRounding, 'levels' | 'scale'>;

/** Records a rounding of rows: of the same rows, the reference's to the bit. */
export function roundRows({ gpu }: ForwardContext, task: GpuRowRounding): void {
  const { source, target, rows, columns, levels, scale } = task;
  const kernel = gpu.kernel({
    name: 'roundRows',
    code: `${roundRowsCode}\n${exact}\n${rounding}`,
    access: ['write', 'read'],
  });
  const parts = [source, target].map(({ stride }) => ({ stride, columns }));
  for (const run of runsOf(rows, gpu.limits, parts)) {
    gpu.run(kernel, {
      views: [rowsOf(target, run, columns), rowsOf(source, run, columns)],
      words: [
        ...[0, run.count, columns, source.stride, target.stride],
        ...[levels.fractionBits, levels.minExponent, floatWord(levels.largest), TIES[levels.ties]],
        ...(scale === undefined ? [0, 0] : [1, floatWord(scale)]),
      ],
      groups: gridOf(run.count, gpu.limits),
    });
  }
}
