// BitDistiller's divergence against the outputs of its code.
import { describe, expect, it } from 'vitest';
import { confidenceAwareDivergence, divergencesOf } from '../../src/metrics/logitDivergence.js';
import { CalibrationTensors, calibrationVectors } from './calibrationVectors.js';

/** The code's label of a position that does not count. */
const IGNORED = -100n;

const { values } = calibrationVectors('awq_clip.json').find(({ name }) => name === 'cakld')!;
const tensors = new CalibrationTensors('awq_clip.safetensors');

describe('CAKLD', () => {
  const [batch, positions, vocabulary] = tensors.get('cakld.teacher_logits').shape;
  const teacher = tensors.floats('cakld.teacher_logits');
  const student = tensors.floats('cakld.student_logits');
  const labels = new BigInt64Array(tensors.get('cakld.labels').bytes.buffer);

  it.each(Object.entries(values!))('γ = %s', (gamma, wanted) => {
    let sum = 0;
    for (let row = 0; row < batch * positions; row++) {
      if (labels[row] === IGNORED) continue;
      const part = (logits: Float32Array) =>
        logits.subarray(row * vocabulary, (row + 1) * vocabulary);
      sum += confidenceAwareDivergence(Number(gamma), divergencesOf(part(teacher), part(student)));
    }
    expect(labels.some((label) => label === IGNORED)).toBe(true);
    expect(Math.abs(sum / batch / wanted - 1)).toBeLessThan(1e-6);
  });
});
