import { PANEL, paddedWidth, type Propagation, type Window } from '../../calibrationKernels.js';

type Source = Pick<Propagation, 'factor' | 'inverses' | 'columns'>;

/** See `CalibrationKernels.propagate`. @param memory as f64 */
export function propagate(memory: Float64Array, propagation: Propagation): void {
  const { factor, inverses, errors, panels, depth, columns, target } = propagation;
  const { order } = factor;
  const width = paddedWidth(columns.end - columns.first);
  for (let panel = 0; panel < panels; panel++) {
    for (let k = columns.first; k < columns.end; k++) {
      const to = target / 8 + (panel * width + k - columns.first) * PANEL;
      const inverse = memory[inverses / 8 + k];
      for (let lane = 0; lane < PANEL; lane++) {
        const from = errors / 8 + panel * order * PANEL + lane;
        let sum = 0;
        for (let j = 0; j < depth; j++) {
          sum += memory[from + j * PANEL] * (memory[factor.at / 8 + j * order + k] * inverse);
        }
        memory[to + lane] += sum;
      }
    }
  }
}

/** Index of R[j, k] in a packed window. */
function packedAt(
  { factor, width }: Pick<Window, 'factor' | 'width'>,
  j: number,
  k: number,
): number {
  return factor / 8 + (Math.floor(k / PANEL) * width + j) * PANEL + (k % PANEL);
}

/** See `CalibrationKernels.packWindow`. */
export function packWindow(
  memory: Float64Array,
  { factor: { at, order }, inverses, columns }: Source,
  target: number,
): void {
  const width = columns.end - columns.first;
  for (let j = 0; j < width; j++) {
    for (let k = j + 1; k < width; k++) {
      const value = memory[at / 8 + (columns.first + j) * order + columns.first + k];
      memory[packedAt({ factor: target, width }, j, k)] =
        value * memory[inverses / 8 + columns.first + k];
    }
  }
}

/** Calls for each row of weights: indices of its first column in the window, and of its first error. */
function forEachRow(
  { width, panels, target }: Window,
  errors: number,
  step: number,
  use: (at: number, from: number) => void,
): void {
  for (let panel = 0; panel < panels; panel++) {
    for (let lane = 0; lane < PANEL; lane++) {
      const at = target / 8 + panel * paddedWidth(width) * PANEL + lane;
      use(at, (errors + panel * step) / 8 + lane);
    }
  }
}

/** See `CalibrationKernels.substitute`. */
export function substitute(memory: Float64Array, window: Window): void {
  forEachRow(window, 0, 0, (at) => {
    for (let j = 0; j < window.width; j++) {
      const change = memory[at + j * PANEL];
      for (let k = j + 1; k < window.width; k++) {
        memory[at + k * PANEL] -= change * memory[packedAt(window, j, k)];
      }
    }
  });
}

/** See `CalibrationKernels.gather`. */
export function gather(
  memory: Float64Array,
  window: Window,
  errors: number,
  step: number,
  column: number,
): void {
  const end = Math.min(column + PANEL, window.width);
  forEachRow(window, errors, step, (at, from) => {
    for (let k = column; k < end; k++) {
      let sum = 0;
      for (let j = 0; j < column; j++) {
        sum += memory[from + j * PANEL] * memory[packedAt(window, j, k)];
      }
      memory[at + k * PANEL] += sum;
    }
  });
}

/** See `CalibrationKernels.spread`. */
export function spread(
  memory: Float64Array,
  window: Window,
  errors: number,
  step: number,
  column: number,
): void {
  const end = Math.min(column - (column % PANEL) + PANEL, window.width);
  forEachRow(window, errors, step, (at, from) => {
    const error = memory[from + column * PANEL];
    for (let k = column + 1; k < end; k++) {
      memory[at + k * PANEL] += error * memory[packedAt(window, column, k)];
    }
  });
}
