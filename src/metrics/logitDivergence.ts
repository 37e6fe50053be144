// How far the predictions of two models are apart, from rows of logits; natural logarithms, f64.

/** Divergences of one row's predictions, nats. */
export interface Divergences {
  /** KL(teacher ‖ student): what the student misses. */
  readonly forward: number;
  /** KL(student ‖ teacher): what the student makes up. */
  readonly reverse: number;
}

/** log Σ exp(logit). */
function logSumOf(logits: Float32Array): number {
  let max = -Infinity;
  for (const logit of logits) max = Math.max(max, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  return max + Math.log(sum);
}

/**
 * Both divergences between the predictions of one position. A token that one side excludes (−∞) makes the
 * divergence from the other side infinite, unless both do.
 * @param teacher logits [vocabulary]; student alike
 */
export function divergencesOf(teacher: Float32Array, student: Float32Array): Divergences {
  const [teacherSum, studentSum] = [logSumOf(teacher), logSumOf(student)];
  let [forward, reverse] = [0, 0];
  for (let token = 0; token < teacher.length; token++) {
    const teacherLog = teacher[token] - teacherSum;
    const studentLog = student[token] - studentSum;
    if (teacherLog > -Infinity) forward += Math.exp(teacherLog) * (teacherLog - studentLog);
    if (studentLog > -Infinity) reverse += Math.exp(studentLog) * (studentLog - teacherLog);
  }
  return { forward, reverse };
}

/** BitDistiller's CAKLD: γ·KL(student ‖ teacher) + (1 − γ)·KL(teacher ‖ student) (section 11). */
export function confidenceAwareDivergence(
  gamma: number,
  { forward, reverse }: Divergences,
): number {
  // Without weight an infinite divergence does not count.
  const weighted = (weight: number, value: number) => (weight === 0 ? 0 : weight * value);
  return weighted(gamma, reverse) + weighted(1 - gamma, forward);
}

/**
 * What the teacher's confidence γ is, the mean over positions of:
 * - `target`: the probability of the token that comes next, as the paper defines it
 * - `largest`: the largest probability, as BitDistiller's code computes it. (That code adds up one batch
 *   more than it divides by; this is a mean.)
 */
export type ConfidenceKind = 'target' | 'largest';

/** The teacher's confidence at one position. @param target the next token */
export function confidenceOf(kind: ConfidenceKind, teacher: Float32Array, target: number): number {
  const logit =
    kind === 'target'
      ? teacher[target]
      : teacher.reduce((most, each) => Math.max(most, each), -Infinity);
  return Math.exp(logit - logSumOf(teacher));
}
