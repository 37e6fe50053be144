import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { findGroupRange } from '../../kernels/reference/groupQuantizer.js';
import type { FixedRange, Kernels } from '../../kernels/types.js';
import { clipCandidates, wholeRange, type ClipKind } from './candidates.js';
import { FORM_ROWS, QuadraticForms } from './quadraticForms.js';

/** Output rows that a task searches: many tasks even of narrow layers, each some milliseconds long. */
export const CLIP_ROWS = 64;

/** Some rows of a linear map, and what its inputs say. */
export interface ClipSearch {
  readonly kind: ClipKind;
  /** f32 [rows × inputs]; clamped in place. */
  readonly weights: Float32Array;
  readonly inputs: number;
  /** Inputs per group, see `clipGroupColumns`. */
  readonly groupColumns: number;
  /** Σxᵀx over the sampled rows: f64 [inputs × inputs]. */
  readonly gram: Float64Array;
  /** Rows that were added. */
  readonly sampledRows: number;
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
  /** Extremes of the whole tensor, unclipped, for formats that need them. */
  readonly tensorRange?: FixedRange;
}

/** What was chosen: by group along each row, and then row by row. */
export interface ChosenClips {
  readonly lows: Float32Array;
  readonly highs: Float32Array;
  /** How many groups chose each candidate. */
  readonly counts: Uint32Array;
  /** Mean squared error over sampled rows, each group's part of the output by itself, summed over groups. */
  readonly error: number;
  /** The same without clipping. */
  readonly errorUnclipped: number;
}

/**
 * Finds for each group of each row the range that serves the outputs best, and clamps the weights to it:
 * the least mean (x·q(w′) − x·w)² over the sampled rows x, restricted to the group, w′ being the
 * clamped weights and q the format (section 3). The first of equally good candidates wins.
 * @param kernels with room for rows × `groupColumns` weights
 */
export function searchClips(kernels: Kernels, search: ClipSearch): ChosenClips {
  const { kind, weights, inputs, groupColumns } = search;
  const rows = weights.length / inputs;
  const groups = Math.ceil(inputs / groupColumns);
  const lows = new Float32Array(rows * groups);
  const highs = new Float32Array(rows * groups);
  const counts = new Uint32Array(clipCandidates(kind).length);
  let error = 0;
  let errorUnclipped = 0;
  for (let group = 0; group < groups; group++) {
    const first = group * groupColumns;
    const strip = new Strip(search, first, Math.min(groupColumns, inputs - first));
    strip.search(kernels);
    for (let row = 0; row < rows; row++) {
      const { lo, hi } = strip.clamp(row);
      lows[row * groups + group] = lo;
      highs[row * groups + group] = hi;
      counts[strip.best[row]]++;
      error += strip.errors[row];
      errorUnclipped += strip.unclipped[row];
    }
  }
  return { lows, highs, counts, error, errorUnclipped };
}

/** One group of all rows. */
class Strip {
  readonly best: Uint8Array;
  readonly errors: Float64Array;
  readonly unclipped: Float64Array;
  private readonly rows: number;
  /** [rows × columns]. */
  private readonly weights: Float32Array;
  private readonly ranges: readonly FixedRange[];
  private readonly candidates;
  private readonly forms: QuadraticForms;

  constructor(
    private readonly setup: ClipSearch,
    private readonly first: number,
    private readonly columns: number,
  ) {
    const { kind, weights, inputs, gram } = setup;
    this.rows = weights.length / inputs;
    this.weights = new Float32Array(this.rows * columns);
    for (let row = 0; row < this.rows; row++) {
      const from = row * inputs + first;
      this.weights.set(weights.subarray(from, from + columns), row * columns);
    }
    this.ranges = Array.from({ length: this.rows }, (_, row) =>
      wholeRange(kind, findGroupRange(this.rowOf(this.weights, row), true)),
    );
    this.candidates = clipCandidates(kind);
    this.forms = new QuadraticForms(columns);
    this.forms.load(gram, inputs, first);
    this.best = new Uint8Array(this.rows);
    this.errors = new Float64Array(this.rows).fill(Infinity);
    this.unclipped = new Float64Array(this.rows);
  }

  search(kernels: Kernels): void {
    const { rows, columns, weights, candidates } = this;
    const { format, scaleDtype, tensorRange } = this.setup;
    const shape = { rows, columns };
    for (let candidate = 0; candidate < candidates.length; candidate++) {
      const clamped = kernels.weights(weights.length);
      clamped.set(weights);
      for (let row = 0; row < rows; row++) {
        clampTo(this.rowOf(clamped, row), this.rangeOf(row, candidate));
      }
      kernels.quantize(format, scaleDtype, shape, { keepOutput: true, tensorRange });
      this.judge(kernels.output(weights.length), candidate);
    }
  }

  /** Takes the errors of a candidate's quantized weights into account. */
  private judge(quantized: Float32Array, candidate: number): void {
    const { rows, columns, weights, forms, errors, unclipped, best } = this;
    const { sampledRows } = this.setup;
    for (let firstRow = 0; firstRow < rows; firstRow += FORM_ROWS) {
      const count = Math.min(FORM_ROWS, rows - firstRow);
      if (count < FORM_ROWS) forms.rows.fill(0);
      for (let row = 0; row < count; row++) {
        const at = (firstRow + row) * columns;
        for (let i = 0; i < columns; i++) {
          forms.rows[i * FORM_ROWS + row] = quantized[at + i] - weights[at + i];
        }
      }
      forms.compute();
      for (let i = 0; i < count; i++) {
        const error = forms.results[i] / sampledRows;
        const row = firstRow + i;
        if (candidate === 0) unclipped[row] = error;
        if (error < errors[row]) {
          errors[row] = error;
          best[row] = candidate;
        }
      }
    }
  }

  /** Clamps a row's weights to the range that was chosen. */
  clamp(row: number): FixedRange {
    const { first, columns } = this;
    const { weights, inputs } = this.setup;
    const range = this.rangeOf(row, this.best[row]);
    const from = row * inputs + first;
    clampTo(weights.subarray(from, from + columns), range);
    return range;
  }

  private rowOf(values: Float32Array, row: number): Float32Array {
    return values.subarray(row * this.columns, (row + 1) * this.columns);
  }

  private rangeOf(row: number, candidate: number): FixedRange {
    const { lo, hi } = this.ranges[row];
    const { low, high } = this.candidates[candidate];
    return { lo: Math.fround(low * lo), hi: Math.fround(high * hi) };
  }
}

/** Where the ends have crossed (groups of one sign), the upper one decides, as in the original code. */
function clampTo(weights: Float32Array, { lo, hi }: FixedRange): void {
  for (let i = 0; i < weights.length; i++) {
    let weight = weights[i];
    if (weight < lo) weight = lo;
    if (weight > hi) weight = hi;
    weights[i] = weight;
  }
}
