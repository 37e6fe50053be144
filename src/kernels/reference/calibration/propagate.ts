import {
  PANEL,
  paddedWidth,
  type Propagation,
  type Run,
  type Window,
} from '../../calibrationKernels.js';

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

/** See `CalibrationKernels.packWindow`. */
export function packWindow(
  memory: Float64Array,
  {
    factor: { at, order },
    inverses,
    columns,
  }: Pick<Propagation, 'factor' | 'inverses' | 'columns'>,
  target: number,
): void {
  const width = columns.end - columns.first;
  for (let j = 0; j < width; j++) {
    for (let k = j + 1; k < width; k++) {
      const value = memory[at / 8 + (columns.first + j) * order + columns.first + k];
      memory[target / 8 + j * width + k] = value * memory[inverses / 8 + columns.first + k];
    }
  }
}

/** See `CalibrationKernels.substitute`. */
export function substitute(memory: Float64Array, { factor, width, panels, target }: Window): void {
  const step = paddedWidth(width) * PANEL;
  for (let panel = 0; panel < panels; panel++) {
    for (let lane = 0; lane < PANEL; lane++) {
      const at = target / 8 + panel * step + lane;
      for (let j = 0; j < width; j++) {
        const change = memory[at + j * PANEL];
        for (let k = j + 1; k < width; k++) {
          memory[at + k * PANEL] -= change * memory[factor / 8 + j * width + k];
        }
      }
    }
  }
}

/** See `CalibrationKernels.spread`. */
export function spread(
  memory: Float64Array,
  { factor, width, panels, target }: Window,
  errors: number,
  step: number,
  columns: Run,
): void {
  const panelStep = paddedWidth(width) * PANEL;
  for (let panel = 0; panel < panels; panel++) {
    for (let lane = 0; lane < PANEL; lane++) {
      const error = memory[errors / 8 + (panel * step) / 8 + lane];
      const at = target / 8 + panel * panelStep + lane;
      for (let k = columns.first + 1; k < columns.end; k++) {
        memory[at + k * PANEL] += error * memory[factor / 8 + columns.first * width + k];
      }
    }
  }
}
