import type { Grid, NumberFormat, RangeSearch, ScaleDtype } from '../../formats/types.js';
import { rangeExcludesZero } from '../reference/groupQuantizer.js';
import { groupedShape } from '../reference/groups.js';
import { listCandidateRanges } from '../reference/rangeSearch.js';
import type { ChunkShape, ErrorSums, FixedRange } from '../types.js';
import applyCode from './apply.wgsl';
import { foldWorkgroupSums, SUM_WORDS } from './errorSums.js';
import double from './double.wgsl';
import exact from './exact.wgsl';
import extremesFitCode from './fit.wgsl';
import { floatWord, gridOf, type Gpu, type GpuView } from './gpu.js';
import groupCode from './group.wgsl';
import power from './power.wgsl';
import type { Readback } from './readback.js';
import rounding from './rounding.wgsl';
import searchCode from './search.wgsl';
import { gridTable, SCALE_DTYPE_WORDS, type RuleShader } from './ruleShaders.js';
import { lanesFor, WEIGHTS_OF_WORKGROUP, WORKGROUP } from './workgroups.js';

/** A chunk to quantize. */
export interface GpuQuantization {
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
  readonly shape: ChunkShape;
  /** f32 [rows × columns], finite. */
  readonly weights: GpuView;
  /** Extremes of the whole tensor: needed by `tensor` groups and two-level scales. */
  readonly tensorRange?: FixedRange;
  /** Receives the dequantized weights, f32 [rows × columns]; another buffer than that of the weights. */
  readonly output?: GpuView;
}

const FLAGS = { rangeIsGiven: 1, rangeWithoutZero: 2, emptyIsUnit: 4, hasOutput: 8 } as const;
/** Words that `fit.wgsl` writes for a group. */
const FIT_WORDS = 4;

const SEARCH_WORDS: Readonly<Record<RangeSearch, number>> = { none: 0, mse: 1, clip: 2 };

/** A shader of several files, each once. */
function join(...files: readonly string[]): string {
  return [...new Set(files)].join('\n');
}

/** Kernels that quantize chunks group by group: all rules but GGUF's blocks. */
export class QuantizeKernels {
  private readonly tables = new Map<Grid, GpuView>();
  private factors: GpuView | undefined;
  private readonly noTable: GpuView;
  private readonly noOutput: GpuView;

  constructor(
    private readonly gpu: Gpu,
    private readonly readback: Readback,
  ) {
    this.noTable = gpu.acquire(4);
    this.noOutput = gpu.acquire(4);
  }

  /** Records the kernels. @returns the sums, once the results are collected */
  quantize(job: GpuQuantization, shader: RuleShader): Promise<ErrorSums> {
    const { gpu } = this;
    const { rows, columns, groupColumns } = groupsOfJob(job);
    const elements = rows * columns;
    const groupsPerRow = Math.ceil(columns / groupColumns);
    const groups = rows * groupsPerRow;
    const lanes = shader.fitCode ? 1 : lanesFor(groupColumns);
    const words = this.words(job, shader, {
      elements,
      columns,
      groupColumns,
      groupsPerRow,
      groups,
      lanes,
    });
    const table = this.tableOf(shader);
    const fits = gpu.acquire(groups * FIT_WORDS * 4);
    const searches = job.format.search !== 'none';
    gpu.run(searches ? this.searchKernel(shader) : this.fitKernel(shader), {
      views: [table, job.weights, fits, ...(searches ? [this.searchFactors()] : [])],
      words,
      groups: gridOf(searches ? groups : Math.ceil((groups * lanes) / WORKGROUP), gpu.limits),
    });
    const grid = gridOf(Math.ceil(elements / WEIGHTS_OF_WORKGROUP), gpu.limits);
    const { view, result } = this.readback.reserve(
      grid[0] * grid[1] * SUM_WORDS,
      foldWorkgroupSums,
    );
    gpu.run(this.applyKernel(shader), {
      views: [table, job.weights, fits, job.output ?? this.noOutput, view],
      words,
      groups: grid,
    });
    gpu.release(fits);
    return result;
  }

  private fitKernel({ name, code, fitCode = extremesFitCode }: RuleShader) {
    return this.gpu.kernel({
      name: `fit ${name}`,
      code: join(fitCode, exact, rounding, groupCode, ...code),
      access: ['read', 'read', 'write'],
    });
  }

  private searchKernel({ name, code }: RuleShader) {
    return this.gpu.kernel({
      name: `search ${name}`,
      code: join(searchCode, exact, rounding, groupCode, double, power, ...code),
      access: ['read', 'read', 'write', 'read'],
    });
  }

  private applyKernel({ name, code }: RuleShader) {
    return this.gpu.kernel({
      name: `apply ${name}`,
      code: join(applyCode, exact, rounding, groupCode, ...code),
      access: ['read', 'read', 'read', 'write', 'write'],
    });
  }

  /** Parameters in the order of `group.wgsl`. */
  private words(
    { format, scaleDtype, tensorRange, output }: GpuQuantization,
    shader: RuleShader,
    place: {
      readonly elements: number;
      readonly columns: number;
      readonly groupColumns: number;
      readonly groupsPerRow: number;
      readonly groups: number;
      readonly lanes: number;
    },
  ): number[] {
    const { rule } = format.entry;
    const given =
      rule.kind === 'cast'
        ? { lo: 0, hi: 0 }
        : format.group.kind === 'tensor'
          ? tensorRange
          : undefined;
    const withoutZero =
      rule.kind !== 'ggml' && rule.kind !== 'block-choice' && rangeExcludesZero(rule);
    return [
      0,
      place.elements,
      place.columns,
      place.groupColumns,
      place.groupsPerRow,
      place.groups,
      (given ? FLAGS.rangeIsGiven : 0) |
        (withoutZero ? FLAGS.rangeWithoutZero : 0) |
        (shader.emptyIsUnit ? FLAGS.emptyIsUnit : 0) |
        (output ? FLAGS.hasOutput : 0),
      floatWord(given?.lo ?? 0),
      floatWord(given?.hi ?? 0),
      SCALE_DTYPE_WORDS[scaleDtype],
      place.lanes,
      SEARCH_WORDS[format.search],
      ...shader.words(tensorRange),
    ];
  }

  /** Factors by which the ends of ranges shrink: 80 of GPTQ's search, then 10 of BitDistiller's. */
  private searchFactors(): GpuView {
    if (!this.factors) {
      const all = { lo: 1, hi: 1 };
      const shrink = [...listCandidateRanges('mse', all)].map(({ lo }) => lo);
      const clip = [...listCandidateRanges('clip', all)].slice(0, 10).map(({ lo }) => lo);
      this.factors = this.gpu.acquire(4 * (shrink.length + clip.length));
      const words = Float32Array.from([...shrink, ...clip]);
      this.gpu.write(this.factors, new Uint8Array(words.buffer));
    }
    return this.factors;
  }

  private tableOf({ grid }: RuleShader): GpuView {
    if (!grid) return this.noTable;
    let table = this.tables.get(grid);
    if (!table) {
      const words = gridTable(grid);
      table = this.gpu.acquire(words.byteLength);
      this.gpu.write(table, new Uint8Array(words.buffer));
      this.tables.set(grid, table);
    }
    return table;
  }
}

/** Casts have no groups: the chunk is one. */
function groupsOfJob({ format, shape }: GpuQuantization) {
  if (format.entry.rule.kind !== 'cast') return groupedShape(format, shape);
  const elements = shape.rows * shape.columns;
  return { rows: 1, columns: elements, groupColumns: elements };
}
