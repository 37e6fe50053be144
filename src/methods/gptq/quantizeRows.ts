import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { parseFormat } from '../../formats/index.js';
import type { NumberFormat } from '../../formats/types.js';
import {
  PANEL,
  paddedWidth,
  propagateScratchBytes,
  type CalibrationKernels,
  type Window,
} from '../../kernels/calibrationKernels.js';
import {
  makeColumnQuantizer,
  type ColumnQuantizer,
} from '../../kernels/reference/columnQuantizer.js';
import { countRegionBytes } from '../../kernels/workspace.js';
import { FIT_WEIGHTS, groupColumns, RowGroups } from './groups.js';
import type { QuantizeRowsTask, RowLosses } from './tasks.js';

const ALIGNMENT = 64;

type Shape = Pick<QuantizeRowsTask, 'rows' | 'inputs' | 'block' | 'staticGroups'>;

/** Whether parameters of groups follow from compensated weights, when their first column comes. */
function groupsMove({ group }: NumberFormat, staticGroups: boolean): boolean {
  return !staticGroups && (group.kind === 'columns' || group.kind === 'blocks');
}

/** Sizes of what a task keeps in its region, in bytes. */
function scratchSizes(format: NumberFormat, { rows, inputs, block, staticGroups }: Shape) {
  const panels = Math.ceil((rows.end - rows.first) / PANEL);
  const columns = groupColumns(format, inputs);
  const moves = groupsMove(format, staticGroups);
  const widest = Math.min(inputs, block + (moves ? columns : 0));
  const window = panels * paddedWidth(widest) * PANEL * 8;
  return {
    inverses: inputs * 8,
    errors: panels * inputs * PANEL * 8,
    changes: window,
    outer: moves ? window : 0,
    factor: paddedWidth(widest) * widest * 8,
    packing: propagateScratchBytes(widest),
    fit: countRegionBytes(Math.max(FIT_WEIGHTS, columns)),
  };
}

/** Bytes that a task of these rows needs. */
export function quantizeRowsScratchBytes(format: NumberFormat, shape: Shape): number {
  const sizes = Object.values(scratchSizes(format, shape));
  return sizes.reduce((sum, bytes) => sum + bytes + ALIGNMENT, 0);
}

/** Addresses of consecutive areas. */
function place<Name extends string>(start: number, sizes: Record<Name, number>) {
  let at = start;
  const places = {} as Record<Name, number>;
  for (const name of Object.keys(sizes) as Name[]) {
    at = Math.ceil(at / ALIGNMENT) * ALIGNMENT;
    places[name] = at;
    at += sizes[name];
  }
  return places;
}

/**
 * GPTQ's loop over some rows, see `GptqApi.quantizeRows`. With H = R·D·Rᵀ, R of unit diagonal, a column is
 * rounded after what the columns before it have lost: v_k = w_k + Σ_{j<k} (w_j − ŵ_j)·R_jk, which is what
 * updates by the inverse of H come to, without the inverse (LDLQ, arXiv 2307.13304, theorem 6).
 */
export class RowsToQuantize {
  private readonly format: NumberFormat;
  private readonly rows: number;
  private readonly panels: number;
  private readonly groupColumns: number;
  private readonly moves: boolean;
  private readonly at: ReturnType<typeof place<keyof ReturnType<typeof scratchSizes>>>;
  private readonly floats: Float32Array;
  private readonly doubles: Float64Array;
  private readonly groups: RowGroups;
  private readonly quantizeColumn: ColumnQuantizer;
  private readonly losses: RowLosses;
  private readonly column: Float32Array;

  constructor(
    loader: ChunkLoader,
    private readonly kernels: CalibrationKernels,
    private readonly task: QuantizeRowsTask,
  ) {
    const { rows, inputs, staticGroups, region, factor } = task;
    this.format = parseFormat(task.format);
    const { rule } = this.format.entry;
    if (rule.kind === 'ggml' || rule.kind === 'block-choice') {
      throw new Error(`${this.format.id} has no groups with one set of parameters`);
    }
    this.rows = rows.end - rows.first;
    this.panels = Math.ceil(this.rows / PANEL);
    this.groupColumns = groupColumns(this.format, inputs);
    this.moves = groupsMove(this.format, staticGroups);
    const sizes = scratchSizes(this.format, task);
    this.at = place(region.start, sizes);
    this.floats = new Float32Array(loader.memory.buffer);
    this.doubles = new Float64Array(loader.memory.buffer);
    this.groups = new RowGroups(
      this.format,
      task.scaleDtype,
      task.tensorRange,
      this.rows,
      Math.ceil(inputs / this.groupColumns),
      loader.kernelsIn({ start: this.at.fit, bytes: sizes.fit }),
    );
    this.quantizeColumn = makeColumnQuantizer(rule);
    this.losses = { rows: new Float64Array(this.rows), inputs: new Float64Array(inputs) };
    this.column = new Float32Array(this.rows);
    for (let k = 0; k < inputs; k++) {
      this.doubles[this.at.inverses / 8 + k] = 1 / this.doubles[factor.at / 8 + k * (inputs + 1)];
    }
  }

  run(): RowLosses {
    const { inputs, block, dead } = this.task;
    const { kind } = this.format.group;
    const isWhole = kind === 'row' || kind === 'tensor';
    this.replaceNonFinite();
    // As the original does it: one scale per row is found before dead inputs lose their weights.
    if (isWhole) this.fitOriginal();
    for (let row = 0; row < this.rows; row++) {
      for (const input of dead) this.floats[this.weightAt(row, input)] = 0;
    }
    if (!isWhole && !this.moves) this.fitOriginal();
    for (let first = 0; first < inputs; first += block) {
      this.quantizeBlock(first, Math.min(first + block, inputs));
    }
    return this.losses;
  }

  private replaceNonFinite(): void {
    for (let row = 0; row < this.rows; row++) {
      const at = this.weightAt(row, 0);
      for (let i = at; i < at + this.task.inputs; i++) {
        if (!Number.isFinite(this.floats[i])) this.floats[i] = 0;
      }
    }
  }

  /** Index of a weight, by the input's own place. */
  private weightAt(row: number, input: number): number {
    const { weights, rows } = this.task;
    return weights.at / 4 + (rows.first + row) * weights.stride + input;
  }

  /** Place of the k-th input in the order of quantization. */
  private inputAt(k: number): number {
    return this.task.order ? this.task.order[k] : k;
  }

  /** Parameters of all groups from the weights as they are. */
  private fitOriginal(): void {
    const { inputs } = this.task;
    for (let first = 0; first < inputs; first += this.groupColumns) {
      const columns = Math.min(this.groupColumns, inputs - first);
      this.groups.fit(first / this.groupColumns, columns, (target, firstRow, rows) => {
        for (let row = 0; row < rows; row++) {
          const from = this.weightAt(firstRow + row, first);
          target.set(this.floats.subarray(from, from + columns), row * columns);
        }
      });
    }
  }

  private quantizeBlock(first: number, end: number): void {
    const { inputs, factor } = this.task;
    const size = this.groupColumns;
    const firstGroup = Math.ceil(first / size);
    const fits = this.moves && firstGroup * size < end;
    const last = fits ? Math.min(inputs, Math.ceil(end / size) * size) : end;
    const columns = { first, end: last };
    const width = last - first;
    const { at, panels, kernels } = this;
    const window: Window = { factor: at.factor, width, panels, target: at.changes };
    const doublesOfWindow = panels * paddedWidth(width) * PANEL;
    this.doubles.fill(0, at.changes / 8, at.changes / 8 + doublesOfWindow);
    const source = { factor, inverses: at.inverses, columns };
    if (first > 0) {
      kernels.propagate({
        ...source,
        errors: at.errors,
        panels,
        depth: first,
        target: at.changes,
        scratch: at.packing,
      });
    }
    kernels.packWindow(source, at.factor);
    if (fits) {
      const from = at.changes / 8;
      this.doubles.copyWithin(at.outer / 8, from, from + doublesOfWindow);
      if (first > 0) kernels.substitute({ ...window, target: at.outer });
      for (let group = firstGroup; group * size < end; group++) this.fitMoved(group, first, width);
    }
    const errors = at.errors + first * PANEL * 8;
    const step = inputs * PANEL * 8;
    for (let k = first; k < end; k++) {
      const column = k - first;
      if (column % PANEL === 0) kernels.gather(window, errors, step, column);
      this.quantizeAt(k, first, width);
      kernels.spread(window, errors, step, column);
    }
  }

  /** Parameters of a group from weights that are compensated for the blocks before. */
  private fitMoved(group: number, windowFirst: number, width: number): void {
    const first = group * this.groupColumns;
    const columns = Math.min(this.groupColumns, this.task.inputs - first);
    this.groups.fit(group, columns, (target, firstRow, rows) => {
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < columns; i++) {
          const weight = this.floats[this.weightAt(firstRow + row, this.inputAt(first + i))];
          const change = this.changeAt(
            this.at.outer,
            firstRow + row,
            first + i - windowFirst,
            width,
          );
          target[row * columns + i] = weight + this.doubles[change];
        }
      }
    });
  }

  /** Index of a window's entry. */
  private changeAt(window: number, row: number, column: number, width: number): number {
    const panel = Math.floor(row / PANEL);
    return window / 8 + (panel * paddedWidth(width) + column) * PANEL + (row % PANEL);
  }

  private quantizeAt(k: number, windowFirst: number, width: number): void {
    const { task, rows, column, floats, doubles, at, losses } = this;
    const { factor, inputs, weights } = task;
    const input = this.inputAt(k);
    const group = Math.floor((task.staticGroups ? input : k) / this.groupColumns);
    const pivot = doubles[factor.at / 8 + k * (inputs + 1)] ** 2;
    const first = this.weightAt(0, input);
    const changes = this.changeAt(at.changes, 0, k - windowFirst, width);
    const changeStep = paddedWidth(width) * PANEL;
    const errors = at.errors / 8 + k * PANEL;
    const errorStep = inputs * PANEL;
    const laneOf = (base: number, step: number, row: number) =>
      base + (row >> 2) * step + (row & (PANEL - 1));
    for (let row = 0; row < rows; row++) {
      const weight = floats[first + row * weights.stride];
      column[row] = weight + doubles[laneOf(changes, changeStep, row)];
    }
    this.quantizeColumn(column, this.groups.parameters, group * rows);
    let ofInput = 0;
    for (let row = 0; row < rows; row++) {
      const index = first + row * weights.stride;
      const weight = floats[index];
      const value = column[row];
      const loss = weight + doubles[laneOf(changes, changeStep, row)] - value;
      const squared = loss * loss * pivot;
      losses.rows[row] += squared;
      ofInput += squared;
      doubles[laneOf(errors, errorStep, row)] = weight - value;
      floats[index] = value;
    }
    losses.inputs[input] += ofInput;
  }
}
