/** What the compiled module exports for the way back; see `assembly/backward`. Addresses in bytes, strides in floats. */
export interface BackwardExports {
  packTransposed(
    source: number,
    stride: number,
    rows: number,
    columns: number,
    target: number,
  ): void;
  rmsNormBackward(
    source: number,
    stride: number,
    gradient: number,
    gradientStride: number,
    rows: number,
    columns: number,
    weight: number,
    offset: number,
    epsilon: number,
    target: number,
    targetStride: number,
  ): void;
  gatedBackward(
    gate: number,
    gateStride: number,
    up: number,
    upStride: number,
    gradient: number,
    gradientStride: number,
    rows: number,
    columns: number,
  ): void;
  causalSoftmax(
    scores: number,
    stride: number,
    rows: number,
    columns: number,
    first: number,
    window: number,
    scale: number,
  ): void;
  softmaxBackward(
    probabilities: number,
    stride: number,
    gradient: number,
    gradientStride: number,
    rows: number,
    columns: number,
    scale: number,
  ): void;
  logitGradient(
    student: number,
    stride: number,
    teacher: number,
    teacherStride: number,
    rows: number,
    columns: number,
    parameters: number,
    gamma: number,
    factor: number,
  ): void;
  adamStep(
    weights: number,
    gradient: number,
    first: number,
    second: number,
    count: number,
    rate: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    shrink: number,
    root: number,
  ): void;
}
