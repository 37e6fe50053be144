import {
  PANEL,
  paddedWidth,
  propagateScratchBytes,
  type CalibrationKernels,
  type SquareMatrix,
  type Window,
} from '../../kernels/calibrationKernels.js';

/** Columns that are finished before others are compensated for them. */
const BLOCK = 128;
const ALIGNMENT = 64;

function sizesOf(rows: number, inputs: number) {
  const panels = Math.ceil(rows / PANEL);
  const width = Math.min(BLOCK, inputs);
  return {
    inverses: inputs * 8,
    errors: panels * inputs * PANEL * 8,
    changes: panels * paddedWidth(width) * PANEL * 8,
    factor: paddedWidth(width) * width * 8,
    packing: propagateScratchBytes(width),
  };
}

/** Bytes that a sweep over so many rows needs. */
export function sweepBytes(rows: number, inputs: number): number {
  const sizes = Object.values(sizesOf(rows, inputs));
  return sizes.reduce((sum, bytes) => sum + bytes + ALIGNMENT, 0);
}

/**
 * Goes through the columns of some rows and finds what the errors E of the columns before one add to it:
 * Σ_{j<k} E_j·R_jk, with H = R·D·Rᵀ and R of unit diagonal. Added to weights, that is GPTQ's compensation;
 * tr(E·H·Eᵀ) is Σ_k (E_k + Σ_{j<k} E_j·R_jk)²·D_k.
 */
export class ColumnSweep {
  private readonly doubles: Float64Array;
  private readonly at: Record<keyof ReturnType<typeof sizesOf>, number>;
  private readonly panels: number;
  private window: Window;
  private first = 0;

  /** @param start of {@link sweepBytes} */
  constructor(
    { buffer }: WebAssembly.Memory,
    private readonly kernels: CalibrationKernels,
    private readonly factor: SquareMatrix,
    rows: number,
    start: number,
  ) {
    this.doubles = new Float64Array(buffer);
    this.panels = Math.ceil(rows / PANEL);
    let end = start;
    this.at = { inverses: 0, errors: 0, changes: 0, factor: 0, packing: 0 };
    for (const [name, bytes] of Object.entries(sizesOf(rows, factor.order))) {
      this.at[name as keyof typeof this.at] = end = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      end += bytes;
    }
    for (let k = 0; k < factor.order; k++) {
      this.doubles[this.at.inverses / 8 + k] =
        1 / this.doubles[factor.at / 8 + k * (factor.order + 1)];
    }
    this.doubles.fill(
      0,
      this.at.errors / 8,
      this.at.errors / 8 + this.panels * factor.order * PANEL,
    );
    this.window = {
      factor: this.at.factor,
      width: 0,
      panels: this.panels,
      target: this.at.changes,
    };
  }

  /** What a row's column has lost. */
  error(row: number, k: number): number {
    return this.doubles[this.errorAt(row, k)];
  }

  setError(row: number, k: number, value: number): void {
    this.doubles[this.errorAt(row, k)] = value;
  }

  /** What errors before the visited column add to it. */
  change(row: number, k: number): number {
    const step = paddedWidth(this.window.width) * PANEL;
    const at = this.at.changes / 8 + (row >> 2) * step + (row & (PANEL - 1));
    return this.doubles[at + (k - this.first) * PANEL];
  }

  /** D_k. */
  pivot(k: number): number {
    return this.doubles[this.factor.at / 8 + k * (this.factor.order + 1)] ** 2;
  }

  /** Visits each column; its errors must be there afterwards. */
  run(visit: (k: number) => void): void {
    const { order } = this.factor;
    for (let first = 0; first < order; first += BLOCK) {
      this.runBlock(first, Math.min(first + BLOCK, order), visit);
    }
  }

  private runBlock(first: number, end: number, visit: (k: number) => void): void {
    const { at, panels, kernels, factor, doubles } = this;
    const width = end - first;
    this.first = first;
    this.window = { factor: at.factor, width, panels, target: at.changes };
    doubles.fill(0, at.changes / 8, at.changes / 8 + panels * paddedWidth(width) * PANEL);
    const source = { factor, inverses: at.inverses, columns: { first, end } };
    const { errors, changes: target, packing: scratch } = at;
    if (first > 0) {
      kernels.propagate({ ...source, errors, panels, depth: first, target, scratch });
    }
    kernels.packWindow(source, at.factor);
    const step = factor.order * PANEL * 8;
    for (let k = first; k < end; k++) {
      const column = k - first;
      const from = errors + first * PANEL * 8;
      if (column % PANEL === 0) kernels.gather(this.window, from, step, column);
      visit(k);
      kernels.spread(this.window, from, step, column);
    }
  }

  private errorAt(row: number, k: number): number {
    const panel = (row >> 2) * this.factor.order;
    return this.at.errors / 8 + (panel + k) * PANEL + (row & (PANEL - 1));
  }
}
