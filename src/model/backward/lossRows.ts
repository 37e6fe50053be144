import { LOGIT_ROW } from '../../kernels/backwardKernels.js';

/** log Σ exp of a row of logits. */
export function logSumExp(values: Float32Array): number {
  let most = -Infinity;
  for (const value of values) if (value > most) most = value;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - most);
  return most + Math.log(sum);
}

/**
 * Confidence-aware divergences of rows of logits, γ·KL(student ‖ teacher) + (1 − γ)·KL(teacher ‖ student).
 * @param student [rows × columns] @param teacher likewise
 * @param shape `parameters` receives what the gradient needs of each row, see {@link LOGIT_ROW}
 * @returns their sum
 */
export function distillationRows(
  student: Float32Array,
  teacher: Float32Array,
  shape: { readonly columns: number; readonly gamma: number; readonly parameters: Float64Array },
): number {
  const { columns, gamma, parameters } = shape;
  let loss = 0;
  for (let row = 0; row * columns < student.length; row++) {
    const s = student.subarray(row * columns, (row + 1) * columns);
    const t = teacher.subarray(row * columns, (row + 1) * columns);
    const [ofStudent, ofTeacher] = [logSumExp(s), logSumExp(t)];
    let reverse = 0;
    let forward = 0;
    for (let i = 0; i < columns; i++) {
      const difference = s[i] - ofStudent - (t[i] - ofTeacher);
      reverse += Math.exp(s[i] - ofStudent) * difference;
      forward -= Math.exp(t[i] - ofTeacher) * difference;
    }
    const at = row * LOGIT_ROW.length;
    parameters[at + LOGIT_ROW.student] = ofStudent;
    parameters[at + LOGIT_ROW.teacher] = ofTeacher;
    parameters[at + LOGIT_ROW.reverse] = reverse;
    loss += gamma * reverse + (1 - gamma) * forward;
  }
  return loss;
}
