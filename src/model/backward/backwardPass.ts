import { LOGIT_ROW } from '../../kernels/backwardKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import { columns, rowsFrom } from '../forward/layers.js';
import type { Scratch } from '../forward/scratch.js';
import type { PlacedRotary } from '../forward/tasks.js';
import type { Matrices } from './matrices.js';
import type {
  GradedBlock,
  GradedLinear,
  GradedNorm,
  GradientTask,
  LossTask,
  PassTask,
} from './tasks.js';
import { distillationRows, logSumExp } from './lossRows.js';

/** Floats of logits that are computed at once. */
const LOGIT_FLOATS = 1 << 20;

/** What a block has computed, as far as its way back needs it. */
interface BlockStates {
  /** Before the block, and between its halves. */
  readonly before: Matrix;
  readonly between: Matrix;
  /** Queries, keys and values, turned. */
  readonly projected: Matrix;
  readonly attended: Matrix;
  readonly gates: Matrix;
}

/** One window through a model and back again. */
export class BackwardPass {
  private readonly rows: number;
  private readonly hiddenSize: number;
  /** Address of the gradients. */
  private gradients = 0;

  constructor(
    private readonly matrices: Matrices,
    private readonly task: PassTask,
    private readonly scratch: Scratch,
  ) {
    this.rows = task.rows;
    this.hiddenSize = task.model.hiddenSize;
  }

  /** @returns the loss of the window without its factor */
  addGradient(task: GradientTask): number {
    this.gradients = task.gradients;
    const { states, hidden } = this.forwardAll();
    const gradient = this.take(this.hiddenSize);
    this.clear(gradient, this.hiddenSize);
    const loss = this.finish(hidden, task, { gradient, factor: task.factor });
    for (const [index, block] of [...task.model.blocks.entries()].reverse()) {
      this.backward(block, states[index], gradient);
    }
    return loss;
  }

  /** @returns the loss of the window */
  loss(task: LossTask): number {
    return this.finish(this.forwardAll().hidden, task);
  }

  /** @param target receives what the head takes @returns Σ of the largest probability at each position */
  states(target: Matrix): number {
    const { finalNorm } = this.task.model;
    this.norm(finalNorm, this.forwardAll().hidden, target);
    let sum = 0;
    this.forLogits(target, this.rows, (logits, _, count) => {
      for (let row = 0; row < count; row++) {
        const values = this.floats(rowsFrom(logits, row).at, logits.stride);
        const most = values.reduce((top, value) => Math.max(top, value), -Infinity);
        sum += Math.exp(most - logSumExp(values));
      }
    });
    return sum;
  }

  private forwardAll(): { readonly states: readonly BlockStates[]; readonly hidden: Matrix } {
    const { model, embedded } = this.task;
    let hidden = embedded;
    const states: BlockStates[] = [];
    for (const block of model.blocks) {
      const state = this.forward(block, hidden);
      states.push(state);
      hidden = this.take(this.hiddenSize);
      this.copy(state.between, this.hiddenSize, hidden);
      this.addFeedForward(block, state, hidden);
    }
    return { states, hidden };
  }

  /** The first half of a block, and the second as far as its gates. */
  private forward(block: GradedBlock, before: Matrix): BlockStates {
    const { matrices, rows, hiddenSize, scratch } = this;
    const { attention, feedForward } = block;
    const width = widthOf(attention.projections);
    const projected = this.take(width);
    this.project(attention.projections, before, block.attentionNorm, projected);
    this.turn(block, projected, 1);
    const attended = this.take(attention.output.inputs);
    for (let head = 0; head < attention.heads; head++) {
      scratch.borrow(() => {
        const { values } = this.headOf(block, projected, head);
        const probabilities = this.probabilities(block, projected, head);
        const target = columns(attended, head * attention.headSize);
        const shape = [rows, attention.headSize, rows] as const;
        matrices.times(probabilities, values, shape, { target }, scratch);
      });
    }
    const between = this.take(hiddenSize);
    this.copy(before, hiddenSize, between);
    this.multiply(attention.output, attended, { target: between, accumulate: true });
    const gates = this.take(widthOf(feedForward.projections));
    this.project(feedForward.projections, between, block.feedForwardNorm, gates);
    return { before, between, projected, attended, gates };
  }

  private addFeedForward(block: GradedBlock, { gates }: BlockStates, target: Matrix): void {
    const { down, width } = block.feedForward;
    this.scratch.borrow(() => {
      const activated = this.take(width);
      this.activate(block, gates, activated);
      this.multiply(down, activated, { target, accumulate: true });
    });
  }

  /** @param gradient of what the block gives; becomes that of what it takes */
  private backward(block: GradedBlock, states: BlockStates, gradient: Matrix): void {
    this.scratch.borrow(() => this.feedForwardBackward(block, states, gradient));
    this.scratch.borrow(() => this.attentionBackward(block, states, gradient));
  }

  private feedForwardBackward(block: GradedBlock, states: BlockStates, gradient: Matrix): void {
    const { matrices, rows } = this;
    const { feedForward, feedForwardNorm } = block;
    const { down, gate, up, width, projections } = feedForward;
    const activated = this.take(width);
    this.activate(block, states.gates, activated);
    this.addWeightGradient(down, gradient, activated);
    const ofActivated = this.take(width);
    this.multiplyBack(down, gradient, { target: ofActivated });
    const [gates, ups] = [columns(states.gates, gate), columns(states.gates, up!)];
    const gated = { gate: gates, up: ups, gradient: ofActivated, rows, columns: width };
    matrices.backward.gatedBackward(gated);
    this.projectBack(projections, states.between, feedForwardNorm, states.gates, gradient);
  }

  private attentionBackward(block: GradedBlock, states: BlockStates, gradient: Matrix): void {
    const { matrices, rows, scratch } = this;
    const { attention, attentionNorm } = block;
    const { output, headSize, heads, scale, projections } = attention;
    this.addWeightGradient(output, gradient, states.attended);
    const ofAttended = this.take(output.inputs);
    this.multiplyBack(output, gradient, { target: ofAttended });
    const width = widthOf(projections);
    const ofProjected = this.take(width);
    this.clear(ofProjected, width);
    for (let head = 0; head < heads; head++) {
      scratch.borrow(() => {
        const { queries, keys, values } = this.headOf(block, states.projected, head);
        const of = this.headOf(block, ofProjected, head);
        const ofHead = columns(ofAttended, head * headSize);
        const probabilities = this.probabilities(block, states.projected, head);
        const shape = [rows, headSize, rows] as const;
        const add = (target: Matrix) => ({ target, accumulate: true });
        matrices.transposedTimes(probabilities, ofHead, shape, add(of.values), scratch);
        const ofScores = this.take(rows);
        const square = [rows, rows, headSize] as const;
        matrices.timesTransposed(ofHead, values, square, { target: ofScores }, scratch);
        const softmax = { probabilities, gradient: ofScores, rows, columns: rows, scale };
        matrices.backward.softmaxBackward(softmax);
        matrices.times(ofScores, keys, shape, add(of.queries), scratch);
        matrices.transposedTimes(ofScores, queries, shape, add(of.keys), scratch);
      });
    }
    this.turn(block, ofProjected, -1);
    this.projectBack(projections, states.before, attentionNorm, ofProjected, gradient);
  }

  /** The last norm, the head and the loss. @param back absent: the loss alone */
  private finish(
    hidden: Matrix,
    { ids, teacher }: LossTask,
    back?: { readonly gradient: Matrix; readonly factor: number },
  ): number {
    const { matrices, rows, hiddenSize, scratch } = this;
    const { head, finalNorm } = this.task.model;
    return scratch.borrow(() => {
      const normed = this.take(hiddenSize);
      this.norm(finalNorm, hidden, normed);
      const ofNormed = this.take(hiddenSize);
      this.clear(ofNormed, hiddenSize);
      let loss = 0;
      // Without a teacher the last token has nothing to predict.
      this.forLogits(normed, teacher ? rows : rows - 1, (logits, first, count) => {
        loss += teacher
          ? this.distil(logits, first, count, teacher, back?.factor)
          : this.predict(logits, count, ids.subarray(first + 1), back?.factor);
        if (!back) return;
        const weights: Matrix = { at: head.weights, stride: head.inputs };
        const shape = [count, head.inputs, head.outputs] as const;
        matrices.times(logits, weights, shape, { target: rowsFrom(ofNormed, first) }, scratch);
      });
      if (back) this.normBack(finalNorm, hidden, ofNormed, back.gradient);
      return loss;
    });
  }

  /** Logits of rows, as many at once as have room. @param normed what the head takes */
  private forLogits(
    normed: Matrix,
    rows: number,
    use: (logits: Matrix, first: number, count: number) => void,
  ): void {
    const { outputs } = this.task.model.head;
    const most = Math.max(1, Math.floor(LOGIT_FLOATS / outputs));
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      this.scratch.borrow(() => use(this.logits(rowsFrom(normed, first), count), first, count));
    }
  }

  private logits(normed: Matrix, count: number): Matrix {
    const { weights, outputs, inputs } = this.task.model.head;
    const target: Matrix = { at: this.scratch.floats(count * outputs), stride: outputs };
    const shape = [count, outputs, inputs] as const;
    const of: Matrix = { at: weights, stride: inputs };
    this.matrices.timesTransposed(normed, of, shape, { target }, this.scratch);
    return target;
  }

  /** Logits that become their gradient where there is a factor. @returns Σ of the divergence from the teacher */
  private distil(
    student: Matrix,
    first: number,
    rows: number,
    { states, gamma }: NonNullable<LossTask['teacher']>,
    factor: number | undefined,
  ): number {
    const { scratch, matrices } = this;
    const teacher = this.logits(rowsFrom(states, first), rows);
    const parameters = scratch.take(rows * LOGIT_ROW.length * 8);
    const of = new Float64Array(matrices.memory.buffer, parameters, rows * LOGIT_ROW.length);
    const columns = student.stride;
    const loss = distillationRows(
      this.floats(student.at, rows * columns),
      this.floats(teacher.at, rows * columns),
      { columns, gamma, parameters: of },
    );
    if (factor !== undefined) {
      const shape = { student, teacher, rows, columns, parameters, gamma, factor };
      matrices.backward.logitGradient(shape);
    }
    return loss;
  }

  /** Logits that become their gradient where there is a factor. @returns Σ −log p(target) */
  private predict(
    logits: Matrix,
    rows: number,
    targets: Int32Array,
    factor: number | undefined,
  ): number {
    const { scratch, matrices, task } = this;
    const { outputs } = task.model.head;
    const parameters = scratch.take(rows * LOGIT_ROW.length * 8);
    const of = new Float64Array(matrices.memory.buffer, parameters, rows * LOGIT_ROW.length);
    let loss = 0;
    for (let row = 0; row < rows; row++) {
      const values = this.floats(rowsFrom(logits, row).at, outputs);
      const logSum = logSumExp(values);
      of[row * LOGIT_ROW.length + LOGIT_ROW.student] = logSum;
      loss += logSum - values[targets[row]];
    }
    if (factor === undefined) return loss;
    const shape = { student: logits, rows, columns: outputs, parameters, gamma: 0, factor };
    matrices.backward.logitGradient(shape);
    for (let row = 0; row < rows; row++) {
      this.floats(rowsFrom(logits, row).at, outputs)[targets[row]] -= factor;
    }
    return loss;
  }

  /** softmax(scale·q·kᵀ) of a head over the whole window: [rows × rows]. */
  private probabilities({ attention }: GradedBlock, projected: Matrix, head: number): Matrix {
    const { matrices, rows } = this;
    const { headSize, scale, window } = attention;
    const { queries, keys } = this.headOf({ attention }, projected, head);
    const scores = this.take(rows);
    const shape = [rows, rows, headSize] as const;
    matrices.timesTransposed(queries, keys, shape, { target: scores }, this.scratch);
    matrices.backward.causalSoftmax({ scores, rows, columns: rows, first: 0, window, scale });
    return scores;
  }

  private headOf({ attention }: Pick<GradedBlock, 'attention'>, projected: Matrix, head: number) {
    const { queries, keys, values, heads, keyValueHeads } = attention;
    const shared = Math.floor((head * keyValueHeads) / heads);
    return {
      queries: columns(projected, queries.at + head * queries.stride),
      keys: columns(projected, keys.at + shared * keys.stride),
      values: columns(projected, values.at + shared * values.stride),
    };
  }

  /** Turns queries and keys by their positions. @param direction −1: back */
  private turn({ attention }: GradedBlock, projected: Matrix, direction: 1 | -1): void {
    const { rotary, localRotary } = this.task;
    const { rotation, queries, keys, heads, keyValueHeads } = attention;
    const tables = rotation === 'none' ? undefined : rotation === 'local' ? localRotary : rotary;
    if (!tables) return;
    this.scratch.borrow(() => {
      const sin = direction === 1 ? tables.sin : this.negated(tables);
      const { dims, interleaved, cos } = tables;
      const shared = { rows: this.rows, dims, interleaved, cos, sin };
      for (const [layout, count] of [
        [queries, heads],
        [keys, keyValueHeads],
      ] as const) {
        const values = columns(projected, layout.at);
        const place = { values, heads: count, headStride: layout.stride };
        this.matrices.forward.rotate({ ...shared, ...place });
      }
    });
  }

  private negated({ sin, dims }: PlacedRotary): number {
    const count = (this.rows * dims) / 2;
    const at = this.scratch.floats(count);
    this.floats(at, count).set(this.floats(sin, count).map((value) => -value));
    return at;
  }

  private activate({ feedForward }: GradedBlock, gates: Matrix, target: Matrix): void {
    const { activation, gate, up, width } = feedForward;
    this.matrices.forward.activate({
      activation,
      gate: columns(gates, gate),
      up: columns(gates, up!),
      rows: this.rows,
      columns: width,
      target,
    });
  }

  /** Linear maps side by side, of normed rows. */
  private project(
    linears: readonly GradedLinear[],
    source: Matrix,
    norm: GradedNorm,
    target: Matrix,
  ): void {
    this.scratch.borrow(() => {
      const normed = this.take(this.hiddenSize);
      this.norm(norm, source, normed);
      let at = 0;
      for (const linear of linears) {
        this.multiply(linear, normed, { target: columns(target, at) });
        at += linear.outputs;
      }
    });
  }

  /** The way back of {@link project}. @param gradient to which that of its source is added */
  private projectBack(
    linears: readonly GradedLinear[],
    source: Matrix,
    norm: GradedNorm,
    ofOutputs: Matrix,
    gradient: Matrix,
  ): void {
    this.scratch.borrow(() => {
      const normed = this.take(this.hiddenSize);
      this.norm(norm, source, normed);
      const ofNormed = this.take(this.hiddenSize);
      this.clear(ofNormed, this.hiddenSize);
      let at = 0;
      for (const linear of linears) {
        const ofLinear = columns(ofOutputs, at);
        this.addWeightGradient(linear, ofLinear, normed);
        this.multiplyBack(linear, ofLinear, { target: ofNormed, accumulate: true });
        at += linear.outputs;
      }
      this.normBack(norm, source, ofNormed, gradient);
    });
  }

  /** x·Wᵀ. */
  private multiply(
    { weights, outputs, inputs }: GradedLinear,
    source: Matrix,
    to: { readonly target: Matrix; readonly accumulate?: boolean },
  ): void {
    const matrix = { at: weights, stride: inputs };
    const shape = [this.rows, outputs, inputs] as const;
    this.matrices.timesTransposed(source, matrix, shape, to, this.scratch);
  }

  /** dy·W. */
  private multiplyBack(
    { weights, outputs, inputs }: GradedLinear,
    ofOutputs: Matrix,
    to: { readonly target: Matrix; readonly accumulate?: boolean },
  ): void {
    const matrix = { at: weights, stride: inputs };
    const shape = [this.rows, inputs, outputs] as const;
    this.matrices.times(ofOutputs, matrix, shape, to, this.scratch);
  }

  /** dW += dyᵀ·x. */
  private addWeightGradient(
    { gradient, outputs, inputs }: GradedLinear,
    ofOutputs: Matrix,
    source: Matrix,
  ): void {
    if (gradient === undefined) return;
    const target = { at: this.gradients + gradient, stride: inputs };
    const shape = [outputs, inputs, this.rows] as const;
    const to = { target, accumulate: true };
    this.matrices.transposedTimes(ofOutputs, source, shape, to, this.scratch);
  }

  private norm(norm: GradedNorm, source: Matrix, target: Matrix): void {
    const shape = { rows: this.rows, columns: this.hiddenSize };
    this.matrices.forward.rmsNorm({ ...norm, ...shape, source, target });
  }

  private normBack(norm: GradedNorm, source: Matrix, gradient: Matrix, target: Matrix): void {
    const shape = { rows: this.rows, columns: this.hiddenSize };
    this.matrices.backward.rmsNormBackward({ ...norm, ...shape, source, gradient, target });
  }

  private take(width: number): Matrix {
    return { at: this.scratch.floats(this.rows * width), stride: width };
  }

  private clear({ at }: Matrix, width: number): void {
    this.floats(at, this.rows * width).fill(0);
  }

  private copy(source: Matrix, width: number, target: Matrix): void {
    for (let row = 0; row < this.rows; row++) {
      const from = this.floats(rowsFrom(source, row).at, width);
      this.floats(rowsFrom(target, row).at, width).set(from);
    }
  }

  private floats(at: number, count: number): Float32Array {
    return new Float32Array(this.matrices.memory.buffer, at, count);
  }
}

function widthOf(linears: readonly GradedLinear[]): number {
  return linears.reduce((sum, { outputs }) => sum + outputs, 0);
}

/** Scratch of `addWindowGradient` for a window of so many rows. */
export function gradientScratchBytes(
  { blocks, hiddenSize, head }: PassTask['model'],
  rows: number,
): number {
  const perBlock = blocks.map(({ attention, feedForward }) => {
    const { width } = feedForward;
    const projected = widthOf(attention.projections);
    const gates = widthOf(feedForward.projections);
    const kept = rows * (2 * hiddenSize + projected + attention.output.inputs + gates);
    // Weights, rows on one side of a product, and what stands between products.
    const linears = [...attention.projections, attention.output, ...feedForward.projections];
    const largest = Math.max(
      ...[...linears, feedForward.down].map(({ outputs, inputs }) => outputs * inputs),
    );
    const widest = Math.max(hiddenSize, projected, gates, width);
    return { kept, working: 2 * largest + 10 * (rows + 64) * widest + 4 * rows * (rows + 64) };
  });
  const kept = perBlock.reduce((sum, each) => sum + each.kept, 0);
  const logitRows = Math.min(rows, Math.max(1, Math.floor(LOGIT_FLOATS / head.outputs)));
  const ofHead =
    2 * (head.outputs + 8) * head.inputs + 4 * (logitRows + 64) * (head.outputs + head.inputs);
  const working = Math.max(ofHead, ...perBlock.map((each) => each.working));
  return 4 * (kept + working + 8 * (rows + 64) * hiddenSize) + (1 << 20);
}
