import {
  SCORE,
  type ForwardKernels,
  type Matrix,
  type Product,
} from '../../kernels/forwardKernels.js';
import type { HeadLayout } from './block.js';
import type {
  AttendTask,
  FinalInputsTask,
  FinalSite,
  FinishTask,
  InputCopies,
  LinearTask,
  LogitsTask,
  PlacedLinear,
  PlacedNorm,
  ProjectTask,
  RowTile,
  ScoreTask,
} from './tasks.js';
import { LOGIT_COLUMNS, Scratch } from './scratch.js';

function columns({ at, stride }: Matrix, first: number): Matrix {
  return { at: at + first * 4, stride };
}

function rowsFrom({ at, stride }: Matrix, first: number): Matrix {
  return { at: at + first * stride * 4, stride };
}

/** Rows of a tile. */
export function rowsOf({ segments }: RowTile): number {
  return segments.reduce((sum, { rows }) => sum + rows, 0);
}

/** Rows that linear maps take. */
interface InputRows {
  readonly source: Matrix;
  readonly rows: number;
  readonly columns: number;
  /** Before the maps. */
  readonly norm?: PlacedNorm;
  /** Where the inputs go as they are, for those who observe them. */
  readonly copy?: Matrix;
}

/** Last hidden states on their way to the head. */
type FinalRows = Pick<LogitsTask, 'hidden' | 'rows' | 'hiddenSize' | 'headInputs' | 'end'>;

/** Heads that are normed one by one, in place. */
interface HeadsNorm {
  /** The rows that they lie in. */
  readonly projected: Matrix;
  readonly rows: number;
  readonly layout: HeadLayout;
  readonly heads: number;
  readonly headSize: number;
  readonly norm: PlacedNorm;
}

/** Some outputs of a linear map. */
interface LinearPart {
  readonly linear: PlacedLinear;
  /** The first of them, a multiple of a panel. */
  readonly first: number;
  readonly count: number;
  /** Address of the packed inputs. */
  readonly packed: number;
  readonly rows: number;
  readonly target: Matrix;
}

/** What a linear map adds to hidden states. */
interface Branch {
  readonly linear: PlacedLinear;
  /** Address of the packed inputs. */
  readonly packed: number;
  readonly rows: number;
  readonly hidden: Matrix;
  /** Norm of what is added. */
  readonly after?: PlacedNorm;
}

/** The interpreter of block plans: what each phase of a forward pass does with some rows. */
export class ForwardPass {
  /** @param memory that the kernels work in */
  constructor(
    private readonly kernels: ForwardKernels,
    private readonly memory: WebAssembly.Memory,
  ) {}

  /** Norm, queries, keys and values, rotation: hidden → projected. */
  project({ block, tile, region }: ProjectTask): void {
    const { attention, attentionNorms } = block;
    const scratch = new Scratch(region);
    const rows = rowsOf(tile);
    const inputs = attention.projections[0].inputs;
    const packed = this.packNormed(
      {
        source: tile.hidden,
        rows,
        columns: inputs,
        norm: attentionNorms.before,
        copy: tile.inputs?.attention,
      },
      scratch,
    );
    this.multiplyAll(attention.projections, packed, rows, tile.projected);
    const parts = [
      { layout: attention.queries, heads: attention.heads, norm: attention.queryNorm },
      { layout: attention.keys, heads: attention.keyValueHeads, norm: attention.keyNorm },
    ];
    for (const { layout, heads, norm } of parts) {
      if (norm) {
        const { headSize } = attention;
        this.normHeads({ projected: tile.projected, rows, layout, heads, headSize, norm });
      }
      this.rotate(tile, layout, heads);
    }
  }

  /** Attention of some heads over one window: projected → attended. */
  attend(task: AttendTask): void {
    const { attention, rows, projected, attended, firstKeyValueHead, region } = task;
    const { headSize, heads, keyValueHeads, keys, values, queries } = attention;
    const scratch = new Scratch(region);
    const { kernels } = this;
    const packedKeys = scratch.floats(Math.ceil(rows / 8) * 8 * headSize);
    const packedValues = scratch.floats(Math.ceil(headSize / 8) * 8 * rows);
    const shape = {
      rows,
      headSize,
      scale: attention.scale,
      window: attention.window,
      softCap: attention.softCap,
    };
    const work = scratch.take(kernels.attentionScratchBytes(shape));
    const shared = heads / keyValueHeads;
    for (let i = 0; i < task.keyValueHeads; i++) {
      const head = firstKeyValueHead + i;
      kernels.packRows(
        columns(projected, keys.at + head * keys.stride),
        rows,
        headSize,
        packedKeys,
      );
      kernels.packColumns(
        columns(projected, values.at + head * values.stride),
        headSize,
        rows,
        packedValues,
      );
      for (let query = head * shared; query < (head + 1) * shared; query++) {
        kernels.attend({
          shape,
          queries: columns(projected, queries.at + query * queries.stride),
          packedKeys,
          packedValues,
          output: columns(attended, query * headSize),
          scratch: work,
        });
      }
    }
  }

  /** The rest of a block: attended → hidden. */
  finish({ block, tile, region }: FinishTask): void {
    const { attention, attentionNorms, feedForward, feedForwardNorms, parallel } = block;
    const scratch = new Scratch(region);
    const { kernels } = this;
    const { hidden, inputs } = tile;
    const rows = rowsOf(tile);
    const size = attention.output.outputs;
    const normed = () =>
      this.packNormed(
        {
          source: hidden,
          rows,
          columns: size,
          norm: feedForwardNorms.before,
          copy: inputs?.feedForward,
        },
        scratch,
      );
    const before = parallel ? normed() : 0;

    const attended = this.packInputs(
      {
        source: tile.attended,
        rows,
        columns: attention.output.inputs,
        copy: inputs?.attentionOutput,
      },
      scratch,
    );
    this.addBranch(
      { linear: attention.output, packed: attended, rows, hidden, after: attentionNorms.after },
      scratch,
    );
    if (attentionNorms.ofSum) this.norm(hidden, rows, size, attentionNorms.ofSum, hidden);

    const { gate, up, width, activation, down, projections } = feedForward;
    const packed = parallel ? before : normed();
    const outputs = projections.reduce((sum, each) => sum + each.outputs, 0);
    const projected: Matrix = { at: scratch.floats(rows * outputs), stride: outputs };
    this.multiplyAll(projections, packed, rows, projected);
    const activated = columns(projected, gate);
    const ups = up === undefined ? undefined : columns(projected, up);
    kernels.activate({
      activation,
      gate: activated,
      up: ups,
      rows,
      columns: width,
      target: activated,
    });
    const inner = this.packInputs(
      { source: activated, rows, columns: width, copy: inputs?.down },
      scratch,
    );
    this.addBranch(
      { linear: down, packed: inner, rows, hidden, after: feedForwardNorms.after },
      scratch,
    );
    if (feedForwardNorms.ofSum) this.norm(hidden, rows, size, feedForwardNorms.ofSum, hidden);
  }

  /** A linear map on its own. */
  applyLinear({ linear, source, rows, target, region }: LinearTask): void {
    const scratch = new Scratch(region);
    const packed = this.packInputs({ source, rows, columns: linear.inputs }, scratch);
    this.multiplyAll([linear], packed, rows, target);
  }

  /** Copies what the linear maps behind the blocks take. */
  finalInputs(task: FinalInputsTask): void {
    this.packEnd(task, new Scratch(task.region), task.inputs);
  }

  /** Takes the logits of a piece of the vocabulary into the sums of every model. */
  score(task: ScoreTask): void {
    const { rows, models, targets, firstToken, headInputs } = task;
    const scratch = new Scratch(task.region);
    const { kernels } = this;
    const { hiddenSize } = task;
    const packed = models.map(({ hidden, end }) =>
      this.packEnd({ hidden, rows, hiddenSize, headInputs, end }, scratch),
    );
    const stride = LOGIT_COLUMNS;
    const base: Matrix = { at: scratch.floats(rows * stride), stride };
    const other: Matrix = { at: scratch.floats(rows * stride), stride };
    const { outputs } = models[0].head;
    for (let first = 0; first < outputs; first += stride) {
      const count = Math.min(stride, outputs - first);
      models.forEach(({ head, sums, end }, index) => {
        const logits = index === 0 ? base : other;
        this.multiplyPart({
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
    const scratch = new Scratch(task.region);
    const packed = this.packEnd(task, scratch);
    const logits: Matrix = { at: scratch.floats(rows * head.outputs), stride: head.outputs };
    this.multiplyPart({
      linear: head,
      first: 0,
      count: head.outputs,
      packed,
      rows,
      target: logits,
    });
    if (end.logitSoftCap > 0) this.kernels.softCap(logits, rows, head.outputs, end.logitSoftCap);
    return logits.at;
  }

  /** Last norm and projection, packed for the head. */
  private packEnd(
    { hidden, rows, hiddenSize, headInputs, end }: FinalRows,
    scratch: Scratch,
    copies: InputCopies<FinalSite> = {},
  ): number {
    const { norm, projection } = end;
    const last: InputRows = { source: hidden, rows, columns: hiddenSize, norm };
    if (!projection) return this.packNormed({ ...last, copy: copies.head }, scratch);
    const result = scratch.take(this.kernels.packedInputBytes(rows, headInputs));
    scratch.borrow(() => {
      const packed = this.packNormed({ ...last, copy: copies.outputProjection }, scratch);
      const projected: Matrix = { at: scratch.floats(rows * headInputs), stride: headInputs };
      this.multiplyAll([projection], packed, rows, projected);
      if (copies.head) this.copy(projected, rows, headInputs, copies.head);
      this.kernels.packInputs(projected, rows, headInputs, result);
    });
    return result;
  }

  /** Inputs of linear maps, after their norm if there is one, as the product reads them. */
  private packNormed({ norm, ...input }: InputRows, scratch: Scratch): number {
    if (!norm) return this.packInputs(input, scratch);
    const { source, rows, columns: size, copy } = input;
    const packed = scratch.take(this.kernels.packedInputBytes(rows, size));
    scratch.borrow(() => {
      const normed: Matrix = { at: scratch.floats(rows * size), stride: size };
      this.norm(source, rows, size, norm, normed);
      if (copy) this.copy(normed, rows, size, copy);
      this.kernels.packInputs(normed, rows, size, packed);
    });
    return packed;
  }

  /** Inputs of linear maps as the product reads them. */
  private packInputs({ source, rows, columns: size, copy }: InputRows, scratch: Scratch): number {
    const packed = scratch.take(this.kernels.packedInputBytes(rows, size));
    if (copy) this.copy(source, rows, size, copy);
    this.kernels.packInputs(source, rows, size, packed);
    return packed;
  }

  private copy(source: Matrix, rows: number, size: number, target: Matrix): void {
    const floats = new Float32Array(this.memory.buffer);
    for (let row = 0; row < rows; row++) {
      const from = source.at / 4 + row * source.stride;
      floats.copyWithin(target.at / 4 + row * target.stride, from, from + size);
    }
  }

  private norm(source: Matrix, rows: number, size: number, norm: PlacedNorm, target: Matrix): void {
    const { kind, weight, bias, epsilon, weightOffset } = norm;
    const shared = { source, target, rows, columns: size, weight, epsilon };
    if (kind === 'rms') this.kernels.rmsNorm({ ...shared, weightOffset });
    else this.kernels.layerNorm({ ...shared, bias });
  }

  private normHeads({ projected, rows, layout, heads, headSize, norm }: HeadsNorm): void {
    for (let head = 0; head < heads; head++) {
      const values = columns(projected, layout.at + head * layout.stride);
      this.norm(values, rows, headSize, norm, values);
    }
  }

  private rotate({ projected, segments }: RowTile, layout: HeadLayout, heads: number): void {
    let first = 0;
    for (const { rows, position, rotary } of segments) {
      if (rotary) {
        const offset = (position * rotary.dims * 4) / 2;
        this.kernels.rotate({
          values: columns(rowsFrom(projected, first), layout.at),
          rows,
          heads,
          headStride: layout.stride,
          dims: rotary.dims,
          cos: rotary.cos + offset,
          sin: rotary.sin + offset,
        });
      }
      first += rows;
    }
  }

  /** Several linear maps of the same inputs, side by side. */
  private multiplyAll(
    linears: readonly PlacedLinear[],
    packed: number,
    rows: number,
    target: Matrix,
  ): void {
    let at = 0;
    for (const linear of linears) {
      this.kernels.multiply(productOf(linear, packed, rows, columns(target, at)));
      at += linear.outputs;
    }
  }

  /** Some outputs of a linear map. */
  private multiplyPart({ linear, first, count, packed, rows, target }: LinearPart): void {
    const part = {
      ...linear,
      packed: linear.packed + first * linear.inputs * 4,
      bias: linear.bias === 0 ? 0 : linear.bias + first * 4,
      outputs: count,
    };
    this.kernels.multiply(productOf(part, packed, rows, target));
  }

  /** hidden += norm(W·x + b). */
  private addBranch({ linear, packed, rows, hidden, after }: Branch, scratch: Scratch): void {
    const { kernels } = this;
    if (!after) {
      kernels.multiply({ ...productOf(linear, packed, rows, hidden), accumulate: true });
      return;
    }
    const { outputs } = linear;
    const branch: Matrix = { at: scratch.floats(rows * outputs), stride: outputs };
    kernels.multiply(productOf(linear, packed, rows, branch));
    this.norm(branch, rows, outputs, after, branch);
    kernels.add(branch, rows, outputs, hidden);
  }
}

/** A linear map of packed inputs, written to a matrix. */
function productOf(
  { packed: packedWeights, bias, outputs, inputs }: PlacedLinear,
  packedInputs: number,
  rows: number,
  output: Matrix,
): Product {
  return { packedInputs, packedWeights, bias, output, rows, outputs, inputs, accumulate: false };
}

/** Sets sums of rows to what {@link ForwardKernels.score} starts from. */
export function clearScores(sums: Float64Array): void {
  sums.fill(0);
  for (let row = 0; row < sums.length; row += SCORE.length) {
    sums[row + SCORE.max] = -Infinity;
    sums[row + SCORE.divergenceMax] = -Infinity;
  }
}
