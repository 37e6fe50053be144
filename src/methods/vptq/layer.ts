import type { TaskMachine, TaskRunner } from '../../compute/taskMachine.js';
import type { Run, SquareMatrix } from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { CalibratedLinear } from '../types.js';
import { encodeScratchBytes } from './encodeRows.js';
import { columnGroups, type VptqSettings } from './settings.js';
import type {
  CodedGroup,
  ColumnNorms,
  CopiedWeights,
  Loss,
  MeasureTask,
  VptqApi,
} from './tasks.js';
import { drawCentroids, storedF16, trainCodebook, type VectorSet } from './trainCodebook.js';

/** Rows of a task, about: whatever the number of threads, so that sums do not depend on it. */
const TASK_ROWS = 64;
const ALIGNMENT = 64;

/** What inputs say, factored, and in the order in which columns are stored. */
export interface FactoredInputs {
  readonly factor: SquareMatrix;
  /** Input of each column; absent: as they are. */
  readonly order?: Int32Array;
  /** Columns whose inputs were always zero. */
  readonly dead: readonly number[];
  /** The products' diagonal, of each column: what k-means weighs vectors by. */
  readonly weights: Float64Array;
}

/** Memory beside a machine's weights; each layer takes that of the one before. */
const reserved = new WeakMap<TaskMachine, { readonly start: number; readonly bytes: number }>();

function reserveFor(machine: TaskMachine, bytes: number): number {
  let region = reserved.get(machine);
  if (!region || region.bytes < bytes) {
    region = { start: machine.reserve(bytes).start, bytes };
    reserved.set(machine, region);
  }
  return region.start;
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

const ignore = () => undefined;

/** One linear map on its way through the stages of vector quantization. */
export class VptqLayer {
  readonly groups: readonly CodedGroup[];
  private readonly bands: readonly Run[];
  private readonly rest: Matrix;
  private readonly copied: Omit<CopiedWeights, 'norms'>;
  private norms?: ColumnNorms;

  constructor(
    private readonly machine: TaskMachine,
    { weights, outputs }: CalibratedLinear,
    private readonly seen: FactoredInputs,
    private readonly settings: VptqSettings,
    private readonly call: CallOptions,
  ) {
    const inputs = seen.factor.order;
    const groups = columnGroups(settings, inputs);
    const lengths = groups.map(({ length }) => length);
    const padded = Math.max(...lengths.map((length) => Math.ceil(outputs / length) * length));
    let end = 0;
    const take = (count: number) => {
      const at = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      end = at + count * 4;
      return at;
    };
    const copy = take(padded * inputs);
    const rest = settings.residualCentroids > 0 ? take(padded * inputs) : copy;
    const placed = groups.map((group) => ({
      ...group,
      codebook: take(group.centroids * group.length),
      residualCodebook: take(group.residualCentroids * group.length),
    }));
    const start = reserveFor(machine, end);
    this.groups = placed.map((group) => ({
      ...group,
      codebook: start + group.codebook,
      residualCodebook: start + group.residualCodebook,
    }));
    this.rest = { at: start + rest, stride: inputs };
    this.copied = {
      ...{ weights, outputs, inputs, order: seen.order, dead: seen.dead },
      copy: { at: start + copy, stride: inputs },
    };
    const unit = lengths.reduce((a, b) => (a * b) / greatestDivisor(a, b));
    const size = Math.ceil(TASK_ROWS / unit) * unit;
    this.bands = Array.from({ length: Math.ceil(padded / size) }, (_, i) => ({
      first: i * size,
      end: Math.min((i + 1) * size, padded),
    }));
  }

  /** Smallest weight and span of each input, as they are stored, in the order of columns. */
  async findNorms(): Promise<ColumnNorms> {
    const { weights, outputs, inputs, order } = this.copied;
    const min = new Float32Array(inputs).fill(Infinity);
    const max = new Float32Array(inputs).fill(-Infinity);
    const tasks = this.bands
      .filter(({ first }) => first < outputs)
      .map(({ first, end }) => ({
        ...{ weights, inputs, scratchBytes: 0 },
        rows: { first, end: Math.min(end, outputs) },
      }));
    await this.machine.tasks<VptqApi>().run(
      'columnRanges',
      tasks,
      (part) => {
        part.min.forEach((value, i) => (min[i] = Math.min(min[i], value)));
        part.max.forEach((value, i) => (max[i] = Math.max(max[i], value)));
      },
      this.call.signal,
    );
    const inputAt = (k: number) => (order ? order[k] : k);
    const from = (of: (input: number) => number) =>
      Float32Array.from({ length: inputs }, (_, k) => storedF16(of(inputAt(k))));
    return {
      scales: from((input) => max[input] - min[input]),
      biases: from((input) => min[input]),
    };
  }

  /** Copies the weights into the order of columns. */
  async copyWeights(norms?: ColumnNorms): Promise<void> {
    this.norms = norms;
    await this.runRows('copyRows');
  }

  /** Replaces the model's weights by what is left in the copy. */
  restoreWeights(): Promise<void> {
    return this.runRows('restoreCopiedRows');
  }

  /** Finds first codebooks by the copied weights. */
  async trainCodebooks(): Promise<void> {
    for (const [index, group] of this.groups.entries()) {
      const { centroids, codebook } = group;
      await this.train(this.vectorsOf(group, this.copied.copy), centroids, codebook, 2 * index);
    }
  }

  /** Finds second codebooks by what the first ones have left. */
  async trainResidualCodebooks(): Promise<void> {
    for (const [index, group] of this.groups.entries()) {
      const { residualCentroids, residualCodebook } = group;
      if (residualCentroids === 0) continue;
      const set = this.vectorsOf(group, this.rest);
      await this.train(set, residualCentroids, residualCodebook, 2 * index + 1);
    }
  }

  /** What would be lost; the copy stays as it is. */
  async measure(lost: MeasureTask['lost']): Promise<Loss> {
    const tasks = this.sweeps().map((task) => ({ ...task, lost }));
    return this.sum((runner, add) => runner.run('measureLoss', tasks, add, this.call.signal));
  }

  /** Looks vectors up with the first codebooks only, keeps what they leave, and leaves the copy as it is. */
  encodeFirst(): Promise<Loss> {
    return this.runEncode(this.rest);
  }

  /** Looks vectors up with all codebooks; the copy becomes what they decode to. */
  encode(): Promise<Loss> {
    return this.runEncode();
  }

  private runEncode(rest?: Matrix): Promise<Loss> {
    const tasks = this.sweeps().map((task) => ({ ...task, rest }));
    return this.sum((runner, add) => runner.run('encodeRows', tasks, add, this.call.signal));
  }

  private vectorsOf(group: CodedGroup, matrix: VectorSet['matrix']): VectorSet {
    const { first, end, length } = group;
    return {
      ...{ matrix, columns: { first, end }, length },
      vectors: Math.ceil(this.copied.outputs / length),
      weights: this.seen.weights.slice(first, end),
    };
  }

  private async train(
    set: VectorSet,
    centroids: number,
    codebook: number,
    draw: number,
  ): Promise<void> {
    const { machine, call, settings } = this;
    const { iterations, tolerance, seed } = settings;
    const first = await drawCentroids(machine, set, centroids, seed + draw, call);
    const training = { first, codebook, iterations, tolerance };
    const trained = await trainCodebook(machine, set, training, call);
    machine.write(codebook, trained.map(storedF16));
  }

  private async runRows(method: 'copyRows' | 'restoreCopiedRows'): Promise<void> {
    const { copied, norms, machine, call } = this;
    const tasks = this.bands.map((rows) => ({ ...copied, norms, rows, scratchBytes: 0 }));
    await machine.tasks<VptqApi>().run(method, tasks, ignore, call.signal);
  }

  private sweeps() {
    const { copied, norms, groups, seen } = this;
    return this.bands.map((rows) => ({
      ...{ ...copied, norms, rows, factor: seen.factor, groups },
      scratchBytes: encodeScratchBytes(rows.end - rows.first, copied.inputs),
    }));
  }

  private async sum(
    run: (runner: TaskRunner<VptqApi>, add: (part: Loss) => void) => Promise<void>,
  ): Promise<Loss> {
    let [products, squares] = [0, 0];
    await run(this.machine.tasks<VptqApi>(), (part) => {
      products += part.products;
      squares += part.squares;
    });
    return { products, squares };
  }
}
