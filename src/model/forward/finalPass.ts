import { SCORE, type Matrix } from '../../kernels/forwardKernels.js';
import type { InputRows, Layers } from './layers.js';
import type { Scratch } from './scratch.js';
import type { FinalInputsTask, FinalSite, InputCopies, LogitsTask, ScoreTask } from './tasks.js';

/** Last hidden states on their way to the head. */
type FinalRows = Pick<LogitsTask, 'hidden' | 'rows' | 'hiddenSize' | 'headInputs' | 'end'>;

/** What follows the last block: the last norm, the head, and scores. */
export class FinalPass {
  constructor(private readonly layers: Layers) {}

  /** Copies what the linear maps behind the blocks take. */
  finalInputs(task: FinalInputsTask): void {
    this.packEnd(task, this.layers.scratchOf(task.region), task.inputs);
  }

  /** Takes the logits of a piece of the vocabulary into the sums of every model. */
  score(task: ScoreTask): void {
    const { rows, models, targets, firstToken, headInputs } = task;
    const scratch = this.layers.scratchOf(task.region);
    const { kernels } = this.layers;
    const { hiddenSize } = task;
    const packed = models.map(({ hidden, end }) =>
      this.packEnd({ hidden, rows, hiddenSize, headInputs, end }, scratch),
    );
    const { logitColumns: stride } = this.layers;
    const base: Matrix = { at: scratch.floats(rows * stride), stride };
    const other: Matrix = { at: scratch.floats(rows * stride), stride };
    const { outputs } = models[0].head;
    for (let first = 0; first < outputs; first += stride) {
      const count = Math.min(stride, outputs - first);
      models.forEach(({ head, sums, end }, index) => {
        const logits = index === 0 ? base : other;
        this.layers.multiplyPart({
          linear: head,
          first,
          count,
          packed: packed[index],
          rows,
          target: logits,
        });
        if (end.logitSoftCap > 0) kernels.softCap(logits, rows, count, end.logitSoftCap);
        kernels.score({
          logits,
          rows,
          columns: count,
          firstToken: firstToken + first,
          targets,
          sums,
        });
        if (index === 0) return;
        const baseSums = models[0].sums;
        kernels.diverge({ base, logits: other, rows, columns: count, baseSums, sums });
      });
    }
  }

  /** Logits of a piece of the vocabulary; returns their address, [rows × outputs]. */
  logits(task: LogitsTask): number {
    const { rows, end, head } = task;
    const scratch = this.layers.scratchOf(task.region);
    const packed = this.packEnd(task, scratch);
    const logits: Matrix = { at: scratch.floats(rows * head.outputs), stride: head.outputs };
    this.layers.multiplyPart({
      linear: head,
      first: 0,
      count: head.outputs,
      packed,
      rows,
      target: logits,
    });
    if (end.logitSoftCap > 0)
      this.layers.kernels.softCap(logits, rows, head.outputs, end.logitSoftCap);
    return logits.at;
  }

  /** Last norm and projection, packed for the head. */
  private packEnd(
    { hidden, rows, hiddenSize, headInputs, end }: FinalRows,
    scratch: Scratch,
    copies: InputCopies<FinalSite> = {},
  ): number {
    const { norm, projection, logitScale } = end;
    const last: InputRows = { source: hidden, rows, columns: hiddenSize, norm };
    if (logitScale !== 1)
      return this.packScaled({ ...last, copy: copies.head }, logitScale, scratch);
    if (!projection) return this.layers.packNormed({ ...last, copy: copies.head }, scratch);
    const result = scratch.take(this.layers.kernels.packedInputBytes(rows, headInputs));
    scratch.borrow(() => {
      const packed = this.layers.packNormed({ ...last, copy: copies.outputProjection }, scratch);
      const projected: Matrix = { at: scratch.floats(rows * headInputs), stride: headInputs };
      this.layers.multiplyAll([projection], [packed], rows, projected);
      if (copies.head) this.layers.copy(projected, rows, headInputs, copies.head);
      this.layers.kernels.packInputs(projected, rows, headInputs, result);
    });
    return result;
  }

  /** Packs the head's inputs so that logits come out scaled; observers see them as they are. */
  private packScaled({ norm, ...last }: InputRows, factor: number, scratch: Scratch): number {
    const { layers } = this;
    const { source, rows, columns, copy } = last;
    const packed = scratch.take(layers.kernels.packedInputBytes(rows, columns));
    scratch.borrow(() => {
      const scaled: Matrix = { at: scratch.floats(rows * columns), stride: columns };
      if (norm) layers.norm({ source, rows, columns, norm, target: scaled });
      else layers.copy(source, rows, columns, scaled);
      if (copy) layers.copy(scaled, rows, columns, copy);
      layers.scale(scaled, rows, columns, factor);
      layers.kernels.packInputs(scaled, rows, columns, packed);
    });
    return packed;
  }
}

/** Sets sums of rows to what {@link ForwardKernels.score} starts from. */
export function clearScores(sums: Float64Array): void {
  sums.fill(0);
  for (let row = 0; row < sums.length; row += SCORE.length) {
    sums[row + SCORE.max] = -Infinity;
    sums[row + SCORE.divergenceMax] = -Infinity;
    sums[row + SCORE.reverseMax] = -Infinity;
  }
}
