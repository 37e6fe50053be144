import { sumDifference, type Difference } from '../../compute/difference.js';
import { findChunkBoundary } from '../../compute/tensorRanges.js';
import { countPackedWeightBytes, type Matrix } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { sampleBytes, sampleScratchBytes, TASK_ROWS } from '../../methods/samples/sizes.js';
import type { SampleApi } from '../../methods/samples/tasks.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { LinearPlan } from '../config/plan.js';
import { inputRounding } from '../evaluation/activations.js';
import { placeChannelScales, type ChannelScalePlaces } from '../evaluation/channelScales.js';
import type { TensorChange, Variant } from '../evaluation/types.js';
import { INPUT_SITES, linearsAt, type InputSite } from '../forward/block.js';
import { rowsFrom } from '../forward/layers.js';
import { blockScratchBytes } from '../forward/scratch.js';
import type { ForwardApi, PlacedLinear, StageApi } from '../forward/tasks.js';
import { CalibrationWalk, type VisitedBlock } from './calibrationWalk.js';
import { scaleRows } from './divisors.js';
import { tilesOf } from './tiles.js';
import type { LinearFactors, WalkRequest } from './types.js';
import { splitErrors, type OutputErrorSplit } from './underflowSplit.js';

/** A model in a scheme, whose linear maps are looked at one by one. */
export interface ExaminedVariant extends Variant {
  /** What is folded into its weights, by the name of their tensor. */
  readonly factors: ReadonlyMap<string, LinearFactors>;
  /** Its weights differ from what rounding the stored ones to nearest gives, so their errors are found here. */
  readonly comparesWeights: boolean;
}

/** How one linear map of a variant differs from the model's, given the inputs that the model gives it. */
export interface LinearErrors {
  /** Σ(ŷ − y)² over rows and outputs, biases left out. */
  readonly squaredError: number;
  /** Σy². */
  readonly squaredOutput: number;
  /** What its weights, inputs as they are, have to do with that; absent where the weights stay as they are. */
  readonly split?: OutputErrorSplit;
  /** Of the weights, factors taken out again: runs of rows, in their order. */
  readonly weights?: readonly Difference[];
}

/**
 * What quantizing each linear map does to its own outputs, on windows that pass through the unquantized model:
 * errors of maps before it are none of its own. Inputs are rounded where a variant rounds them.
 * @returns for each variant, by the name of the weights' tensor: those of blocks that all rows pass
 * @throws an AbortError when cancelled
 */
export async function measureOutputErrors(
  request: WalkRequest,
  variants: readonly ExaminedVariant[],
  options: CallOptions = {},
): Promise<readonly ReadonlyMap<string, LinearErrors>[]> {
  const walk = new CalibrationWalk(request, options, 'none');
  const meter = new OutputErrorMeter(walk, variants);
  await walk.run((block) => meter.visit(block));
  return meter.results;
}

type Steps = ForwardApi & StageApi;

/** Rows of inputs that pass a changed linear map at once. */
const RUN_ROWS = 480;
/** Weights that are compared at once, about, and what their rows are a multiple of. */
const RUN_WEIGHTS = 1 << 21;
const RUN_STEP = 64;

class OutputErrorMeter {
  readonly results: Map<string, LinearErrors>[];
  private readonly regions = new Map<string, MemoryRegion>();
  /** Of single inputs. */
  private readonly scales: ChannelScalePlaces;

  constructor(
    private readonly walk: CalibrationWalk<WalkRequest>,
    private readonly variants: readonly ExaminedVariant[],
  ) {
    this.results = variants.map(() => new Map());
    this.scales = placeChannelScales(walk.request.pool, variants);
  }

  async visit(block: VisitedBlock): Promise<void> {
    const { walk } = this;
    const stored = () => undefined;
    await walk.loadVectors(block, stored);
    for (const site of INPUT_SITES) {
      const linears = linearsAt(block.plan, site);
      if (linears.length === 0) continue;
      await walk.pack(block, linears, stored);
      const chosen = linears.filter(({ weight }) => walk.request.tensors.has(weight));
      if (chosen.length > 0) await this.measure(block, site, chosen);
      await walk.pass(site, block, stored);
    }
  }

  private async measure(
    block: VisitedBlock,
    site: InputSite,
    linears: readonly LinearPlan[],
  ): Promise<void> {
    const inputs = await this.keepInputs(block, site);
    const { rows } = this.walk.stages;
    for (const linear of linears) {
      const { weight, outputs } = linear;
      const expected = this.matrix('expected', rows, outputs);
      const packed = block.layout.linears.get(linear)!;
      await this.apply(block, placedAt(linear, packed), inputs, expected, rows);
      const squaredOutput = await this.sumSquares(expected, outputs, rows);
      for (const [index, variant] of this.variants.entries()) {
        const squaredError = await this.errorOf(block, linear, variant, inputs, expected);
        const ofWeights = await this.compareWeights(linear, variant, inputs);
        this.results[index].set(weight, { squaredError, squaredOutput, ...ofWeights });
      }
    }
  }

  /** Σ(ŷ − y)² of a variant's linear map. */
  private async errorOf(
    block: VisitedBlock,
    linear: LinearPlan,
    variant: ExaminedVariant,
    inputs: Matrix,
    expected: Matrix,
  ): Promise<number> {
    const { walk } = this;
    const { weight, outputs } = linear;
    const rounding = inputRounding(linear, variant, this.scales);
    const change = variant.changes.get(weight);
    if (!change && !rounding) return 0;
    const bytes = countPackedWeightBytes(outputs, linear.inputs);
    const at = this.region('packed', bytes);
    await walk.weights.pack([{ linear, at, change }]);
    const factors = variant.factors.get(weight);
    const inverses = factors?.outputs?.map((divisor) => 1 / divisor);
    let sum = 0;
    // A run of rows at a time: enough for the product, little for memory.
    for (let first = 0; first < walk.stages.rows; first += RUN_ROWS) {
      const rows = Math.min(RUN_ROWS, walk.stages.rows - first);
      let source = rowsFrom(inputs, first);
      if (factors?.inputs) {
        const divided = this.matrix('divided', RUN_ROWS, linear.inputs);
        await this.divide(source, divided, factors.inputs, rows);
        source = divided;
      }
      const target = this.matrix('outputs', RUN_ROWS, outputs);
      const changed = { ...placedAt(linear, at), inputRounding: rounding };
      await this.apply(block, changed, source, target, rows);
      if (inverses) await this.divide(target, target, inverses, rows);
      sum += await this.sumSquares(target, outputs, rows, rowsFrom(expected, first));
    }
    return sum;
  }

  /** How a variant's weights differ from the stored ones, and what the two parts of the difference do to outputs. */
  private async compareWeights(
    linear: LinearPlan,
    { changes, factors, comparesWeights }: ExaminedVariant,
    taken: Matrix,
  ): Promise<Pick<LinearErrors, 'weights' | 'split'>> {
    const { weight, inputs, outputs } = linear;
    const change = changes.get(weight);
    if (!change && !comparesWeights) return {};
    const folded = factors.get(weight);
    const ofInputs = folded?.inputs?.map((factor) => 1 / factor);
    const ofOutputs = folded?.outputs?.map((divisor) => 1 / divisor);
    const most = rowsAtOnce(linear, change);
    const differences: Difference[] = [];
    let [squaredUnderflow, squaredRounding] = [0, 0];
    for (let firstRow = 0; firstRow < outputs; firstRow += most) {
      const run = { firstRow, rows: Math.min(most, outputs - firstRow) };
      const stored = await this.loadRows('stored', linear, undefined, run);
      const changed = await this.loadRows('changed', linear, change, run);
      scaleRows(changed, inputs, ofInputs, ofOutputs?.subarray(firstRow, firstRow + run.rows));
      if (comparesWeights) differences.push(sumDifference(stored, changed));
      if (splitErrors(stored, changed)) {
        squaredUnderflow += await this.sumOutputs(stored, linear, taken);
      }
      squaredRounding += await this.sumOutputs(changed, linear, taken);
    }
    return {
      weights: comparesWeights ? differences : undefined,
      split: { squaredUnderflow, squaredRounding },
    };
  }

  /** Σ(x·w)² over rows and outputs. @param weights in the shared memory: f32 [some outputs × inputs] */
  private async sumOutputs(
    weights: Float32Array,
    { inputs }: LinearPlan,
    taken: Matrix,
  ): Promise<number> {
    const outputs = weights.length / inputs;
    const packed = this.region('packedRun', sampleBytes(RUN_ROWS, inputs));
    const target = this.matrix('outputs', RUN_ROWS, outputs);
    const tasks = this.walk.request.pool.tasks<SampleApi>();
    const { signal } = this.walk.options;
    const { rows: all } = this.walk.stages;
    let sum = 0;
    for (let first = 0; first < all; first += RUN_ROWS) {
      const rows = Math.min(RUN_ROWS, all - first);
      const samples = { matrix: rowsFrom(taken, first), rows, inputs };
      const shared = { samples, packed, scratchBytes: sampleScratchBytes(rows, inputs) };
      await tasks.run('packSamples', [{ ...shared, side: 'inputs' }], () => undefined, signal);
      const matrix = { at: weights.byteOffset, stride: inputs };
      const runs = Array.from({ length: Math.ceil(outputs / TASK_ROWS) }, (_, index) => {
        const run = { first: index * TASK_ROWS, end: Math.min((index + 1) * TASK_ROWS, outputs) };
        return { ...shared, weights: matrix, run, target };
      });
      await tasks.run('floatOutputs', runs, () => undefined, signal);
      sum += await this.sumSquares(target, outputs, rows);
    }
    return sum;
  }

  private async loadRows(
    name: string,
    linear: LinearPlan,
    change: TensorChange | undefined,
    run: { readonly firstRow: number; readonly rows: number },
  ): Promise<Float32Array> {
    const { weights, request } = this.walk;
    const elements = run.rows * linear.inputs;
    const at = this.region(name, elements * 4);
    await weights.loadRows([{ linear, at, change, ...run }]);
    return new Float32Array(request.pool.memory.buffer, at, elements);
  }

  /** What the linear maps of a site take, of all rows. */
  private async keepInputs(block: VisitedBlock, site: InputSite): Promise<Matrix> {
    const { stages, request } = this.walk;
    const [{ inputs }] = linearsAt(block.plan, site);
    const kept = this.matrix('inputs', stages.rows, inputs);
    await stages.observe(site, block.placed, ({ matrix, rows }, first) => {
      for (let row = 0; row < rows; row++) {
        const from = matrix.at + row * matrix.stride * 4;
        request.pool.copy(from, rowsFrom(kept, first + row).at, inputs * 4);
      }
      return Promise.resolve();
    });
    return kept;
  }

  private async apply(
    { placed }: VisitedBlock,
    linear: PlacedLinear,
    source: Matrix,
    target: Matrix,
    count: number,
  ): Promise<void> {
    const tasks = tilesOf(count).map(({ first, rows }) => ({
      linear,
      source: rowsFrom(source, first),
      rows,
      target: rowsFrom(target, first),
      scratchBytes: blockScratchBytes(placed, rows),
    }));
    await this.tasks.run('applyLinear', tasks, () => undefined, this.walk.options.signal);
  }

  /** Each column of a matrix by its factor; may go where it comes from. */
  private async divide(
    source: Matrix,
    target: Matrix,
    factors: Float32Array,
    count: number,
  ): Promise<void> {
    const tasks = tilesOf(count).map(({ first, rows }) => ({
      source: rowsFrom(source, first),
      target: rowsFrom(target, first),
      rows,
      columns: factors.length,
      factors,
      scratchBytes: 0,
    }));
    await this.tasks.run('divideRows', tasks, () => undefined, this.walk.options.signal);
  }

  private async sumSquares(
    one: Matrix,
    columns: number,
    count: number,
    other?: Matrix,
  ): Promise<number> {
    const tasks = tilesOf(count).map(({ first, rows }) => ({
      one: rowsFrom(one, first),
      other: other && rowsFrom(other, first),
      rows,
      columns,
      scratchBytes: 0,
    }));
    let sum = 0;
    const add = (value: number) => void (sum += value);
    await this.tasks.run('squaredDifference', tasks, add, this.walk.options.signal);
    return sum;
  }

  private get tasks() {
    return this.walk.request.pool.tasks<Steps>();
  }

  private matrix(name: string, rows: number, columns: number): Matrix {
    return { at: this.region(name, rows * columns * 4), stride: columns };
  }

  /** Address of room that is kept under a name, and grows. */
  private region(name: string, bytes: number): number {
    const kept = this.regions.get(name);
    if (kept && kept.bytes >= bytes) return kept.start;
    const region = this.walk.request.pool.reserve(bytes);
    this.regions.set(name, region);
    return region.start;
  }
}

/** Rows of a linear map that are compared at once: whole blocks of the format. */
function rowsAtOnce({ outputs, inputs }: LinearPlan, change: TensorChange | undefined): number {
  const rows = Math.max(1, Math.floor(RUN_WEIGHTS / inputs / RUN_STEP)) * RUN_STEP;
  const blocks = change?.format ? findChunkBoundary([change.format]).blocks : 1;
  return (rows * inputs) % blocks === 0 ? rows : outputs;
}

/** A linear map without its bias, which adds nothing to a difference. */
function placedAt({ outputs, inputs }: LinearPlan, packed: number): PlacedLinear {
  return { packed, bias: 0, outputs, inputs };
}
