import { PANEL_ROWS, type HeadAttention } from '../../forwardKernels.js';

/** Element [row, k] of panels [⌈rows/8⌉][inputs][8]. */
function inPanels(at: number, inputs: number, row: number, k: number): number {
  const panel = Math.floor(row / PANEL_ROWS);
  return at / 4 + (panel * inputs + k) * PANEL_ROWS + (row % PANEL_ROWS);
}

/** Attention of one head, a row at a time; see `ForwardKernels.attend`. Floats of the memory. */
export function attendRows(
  floats: Float32Array,
  { queries, packedKeys, packedValues, shape, output }: Omit<HeadAttention, 'scratch'>,
): void {
  const { rows, headSize, scale, window, softCap } = shape;
  for (let row = 0; row < rows; row++) {
    const first = window > 0 ? Math.max(0, row - window + 1) : 0;
    const query = queries.at / 4 + row * queries.stride;
    const scores: number[] = [];
    for (let key = first; key <= row; key++) {
      let dot = 0;
      for (let k = 0; k < headSize; k++) {
        dot += floats[query + k] * floats[inPanels(packedKeys, headSize, key, k)];
      }
      const score = dot * scale;
      scores.push(softCap > 0 ? softCap * Math.tanh(score / softCap) : score);
    }
    const max = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    const weights = scores.map((score) => Math.exp(score - max));
    const sum = weights.reduce((a, b) => a + b, 0);
    const target = output.at / 4 + row * output.stride;
    for (let k = 0; k < headSize; k++) {
      let mixed = 0;
      weights.forEach((weight, i) => {
        mixed += weight * floats[inPanels(packedValues, rows, k, first + i)];
      });
      floats[target + k] = mixed / sum;
    }
  }
}
