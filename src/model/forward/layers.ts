import type { LayerKernels, Matrix, Product } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import type { FeedForward } from './block.js';
import { roundingKey } from './rounding.js';
import type { Routes } from './routing.js';
import type { Scratch } from './scratch.js';
import type { AttendTask, PlacedLinear, PlacedNorm, PlacedRounding } from './tasks.js';

/** A matrix from one of its columns on. */
export function columns({ at, stride }: Matrix, first: number): Matrix {
  return { at: at + first * 4, stride };
}

/** A matrix from one of its rows on. */
export function rowsFrom({ at, stride }: Matrix, first: number): Matrix {
  return { at: at + first * stride * 4, stride };
}

/** Rows that linear maps take. */
export interface InputRows {
  readonly source: Matrix;
  readonly rows: number;
  readonly columns: number;
  /** Before the maps. */
  readonly norm?: PlacedNorm;
  /** Where the inputs go as they are, for those who observe them. */
  readonly copy?: Matrix;
  /** How the maps want them; absent: as they are. */
  readonly rounding?: PlacedRounding;
}

/** Some outputs of a linear map. */
export interface LinearPart {
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
export interface Branch {
  readonly linear: PlacedLinear;
  /** Address of the packed inputs. */
  readonly packed: number;
  readonly rows: number;
  readonly hidden: Matrix;
  /** Norm of what is added. */
  readonly after?: PlacedNorm;
  /** Factor on what is added. */
  readonly scale?: number;
}

/** Rows on their way through a feed-forward part. */
export interface FeedForwardRows {
  readonly feedForward: FeedForward<PlacedLinear>;
  /** Addresses of the packed inputs, one for each of the first maps. */
  readonly packed: readonly number[];
  readonly rows: number;
  /** Where the inputs of its last map go, for those who observe them. */
  readonly copy?: Matrix;
}

/** A norm of rows. */
export interface NormedRows {
  readonly source: Matrix;
  readonly rows: number;
  /** Length of a row. */
  readonly columns: number;
  readonly norm: PlacedNorm;
  /** May be the source. */
  readonly target: Matrix;
}

/** Logits of experts that become choices. */
export interface Routing {
  readonly logits: Matrix;
  readonly rows: number;
  readonly experts: number;
  readonly expertsPerRow: number;
  readonly normalized: boolean;
  /** Address, see `RoutedRows`. */
  readonly routes: number;
}

/** Rows that are picked from a matrix, or added to one. */
export interface PickedRows {
  readonly source: Matrix;
  readonly columns: number;
  /** Of the matrix that has more. */
  readonly rows: readonly number[];
  readonly target: Matrix;
}

/**
 * Norms and linear maps whose weights are in memory, over rows: what all parts of a forward pass do.
 * What depends on the kind of memory is left open.
 */
export abstract class Layers {
  /** Columns of logits that are computed at once. */
  abstract readonly logitColumns: number;

  constructor(readonly kernels: LayerKernels) {}

  /** What a task may use beside the places that it names. */
  abstract scratchOf(region: MemoryRegion): Scratch;

  /** Copies rows as they are. */
  abstract copy(source: Matrix, rows: number, size: number, target: Matrix): void;

  /** rows *= factor. */
  abstract scale(values: Matrix, rows: number, size: number, factor: number): void;

  /** Attention of some heads over one window. */
  abstract attend(task: AttendTask): void;

  /** Chooses the experts of rows, see `chooseExperts`. */
  abstract route(routing: Routing): void;

  abstract readRoutes(at: number, rows: number, expertsPerRow: number): Routes | Promise<Routes>;

  /** target[i] = source[rows[i]]. */
  abstract gather(picked: PickedRows): void;

  /** target[rows[i]] += weights[i]·source[i]; no row occurs twice. */
  abstract addScaled(picked: PickedRows & { readonly weights: readonly number[] }): void;

  /**
   * Inputs of several linear maps, after their norm if there is one, as each of the maps wants them.
   * @returns an address for each; maps that want them alike have the same
   */
  packForAll(
    linears: readonly PlacedLinear[],
    { copy, ...input }: InputRows,
    scratch: Scratch,
  ): readonly number[] {
    const packed = new Map<string, number>();
    return linears.map(({ inputRounding: rounding }) => {
      const key = roundingKey(rounding);
      const known = packed.get(key);
      if (known !== undefined) return known;
      const rows = { ...input, rounding, copy: packed.size === 0 ? copy : undefined };
      const at = this.packNormed(rows, scratch);
      packed.set(key, at);
      return at;
    });
  }

  /** Inputs of linear maps, after their norm if there is one, as the product reads them. */
  packNormed({ norm, ...input }: InputRows, scratch: Scratch): number {
    if (!norm) return this.packInputs(input, scratch);
    const { rows, columns: size } = input;
    const packed = scratch.take(this.kernels.packedInputBytes(rows, size));
    scratch.borrow(() => {
      const normed: Matrix = { at: scratch.floats(rows * size), stride: size };
      this.norm({ ...input, norm, target: normed });
      this.packTo(packed, { ...input, source: normed }, scratch);
    });
    return packed;
  }

  /** Inputs of linear maps as the product reads them. */
  packInputs(input: InputRows, scratch: Scratch): number {
    const packed = scratch.take(this.kernels.packedInputBytes(input.rows, input.columns));
    this.packTo(packed, input, scratch);
    return packed;
  }

  private packTo(
    packed: number,
    { source, rows, columns: size, copy, rounding }: InputRows,
    scratch: Scratch,
  ): void {
    if (copy) this.copy(source, rows, size, copy);
    if (!rounding) {
      this.kernels.packInputs(source, rows, size, packed);
      return;
    }
    scratch.borrow(() => {
      const rounded: Matrix = { at: scratch.floats(rows * size), stride: size };
      this.kernels.roundRows({ source, target: rounded, rows, columns: size, ...rounding });
      this.kernels.packInputs(rounded, rows, size, packed);
    });
  }

  /** A norm of any kind. */
  norm({ source, rows, columns: size, norm, target }: NormedRows): void {
    const { kind, weight, bias, epsilon, weightOffset } = norm;
    const shared = { source, target, rows, columns: size, weight, epsilon };
    if (kind === 'rms') this.kernels.rmsNorm({ ...shared, weightOffset });
    else this.kernels.layerNorm({ ...shared, bias });
  }

  /**
   * Several linear maps, side by side.
   * @param packed addresses of the inputs of each
   */
  multiplyAll(
    linears: readonly PlacedLinear[],
    packed: readonly number[],
    rows: number,
    target: Matrix,
  ): void {
    let at = 0;
    for (const [index, linear] of linears.entries()) {
      const output = columns(target, at);
      const { outputs, outputRounding: rounding } = linear;
      this.kernels.multiply(productOf(linear, packed[index], rows, output));
      if (rounding) {
        const place = { source: output, target: output, rows, columns: outputs };
        this.kernels.roundRows({ ...place, ...rounding });
      }
      at += outputs;
    }
  }

  /** activation(gate)·up, packed for the last map of a feed-forward part. */
  packActivated({ feedForward, packed, rows, copy }: FeedForwardRows, scratch: Scratch): number {
    const { gate, up, width, activation, projections, down } = feedForward;
    const outputs = projections.reduce((sum, each) => sum + each.outputs, 0);
    const projected: Matrix = { at: scratch.floats(rows * outputs), stride: outputs };
    this.multiplyAll(projections, packed, rows, projected);
    const activated = columns(projected, gate);
    this.kernels.activate({
      activation,
      gate: activated,
      up: up === undefined ? undefined : columns(projected, up),
      rows,
      columns: width,
      target: activated,
    });
    const rounding = down.inputRounding;
    return this.packInputs({ source: activated, rows, columns: width, copy, rounding }, scratch);
  }

  /** Some outputs of a linear map. */
  multiplyPart({ linear, first, count, packed, rows, target }: LinearPart): void {
    const part = {
      ...linear,
      packed: linear.packed + first * linear.inputs * 4,
      bias: linear.bias === 0 ? 0 : linear.bias + first * 4,
      outputs: count,
    };
    this.kernels.multiply(productOf(part, packed, rows, target));
  }

  /** hidden += scale·norm(W·x + b). */
  addBranch({ linear, packed, rows, hidden, after, scale = 1 }: Branch, scratch: Scratch): void {
    const { kernels } = this;
    if (!after && scale === 1) {
      kernels.multiply({ ...productOf(linear, packed, rows, hidden), accumulate: true });
      return;
    }
    const { outputs } = linear;
    const branch: Matrix = { at: scratch.floats(rows * outputs), stride: outputs };
    kernels.multiply(productOf(linear, packed, rows, branch));
    if (after) this.norm({ source: branch, rows, columns: outputs, norm: after, target: branch });
    if (scale !== 1) this.scale(branch, rows, outputs, scale);
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
