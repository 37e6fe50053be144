import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import type { FixedRounding } from '../../formats/activations.js';
import {
  biasOf,
  preShiftedScales,
  scaleOfBias,
  type BiasedFloat,
} from '../../formats/preShifted.js';
import type { ScaleDtype } from '../../formats/types.js';
import { PANEL_ROWS, type Matrix } from '../../kernels/forwardKernels.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { CalibratedLinear } from '../types.js';
import { BIAS_FACTORS, indexOfLeast } from './candidates.js';
import { align, sampleBytes, scratchBytes } from './sizes.js';
import type { LlmFp4Api, Samples } from './tasks.js';

/** Rounds of the search. */
const ROUNDS = 3;
/** Outputs that a task takes; a multiple of a panel's. */
const TASK_ROWS = 2 * PANEL_ROWS;

/** Biases of weights or inputs in one of the formats that are tried. */
interface Choice<Bias> {
  readonly format: BiasedFloat;
  bias: Bias;
}

/** What is known of inputs before the search. */
export interface SearchedInputs {
  readonly splits: readonly BiasedFloat[];
  /** Which of these the search begins with. */
  readonly first: number;
  /** One bias for each input, pre-shifted; else one for all. */
  readonly isShifted: boolean;
  /** Largest magnitude of each input. */
  readonly magnitudes: Float32Array;
}

export interface SearchSetup {
  readonly machine: TaskMachine;
  readonly linear: CalibratedLinear;
  readonly samples: Samples;
  /** Address of room, of `searchRoomBytes`. */
  readonly room: number;
  readonly splits: readonly BiasedFloat[];
  readonly first: number;
  /** Absent: inputs stay as they are. */
  readonly inputs?: SearchedInputs;
  readonly scaleDtype: ScaleDtype;
  readonly call: CallOptions;
}

export interface SearchResult {
  readonly weights: BiasedFloat;
  readonly biases: Float64Array;
  readonly inputs?: BiasedFloat;
  readonly inputBias?: number;
  readonly rounding?: FixedRounding;
  /** Mean squared error of the outputs on the samples. */
  readonly loss: number;
}

/** The search of one linear map (algorithms 10 and its corrections). */
export class LlmFp4Search {
  private readonly target: Matrix;
  private readonly packedSamples: number;
  private readonly packedWeights: number;
  private readonly ofWeights: readonly Choice<Float64Array>[];
  private weights: Choice<Float64Array>;
  private readonly ofInputs: readonly (Choice<number> & {
    readonly initial: number;
    readonly channels: readonly number[];
  })[];
  private inputs?: LlmFp4Search['ofInputs'][number];
  private readonly scratchBytes: number;

  constructor(private readonly setup: SearchSetup) {
    const { linear, samples, room, splits, first, inputs } = setup;
    const { outputs } = linear;
    this.scratchBytes = scratchBytes(samples.rows, samples.inputs);
    this.target = { at: align(room), stride: outputs };
    this.packedSamples = align(this.target.at + sampleBytes(samples.rows, outputs));
    this.packedWeights = align(this.packedSamples + sampleBytes(samples.rows, samples.inputs));
    this.ofWeights = splits.map((format) => ({ format, bias: new Float64Array(0) }));
    this.weights = this.ofWeights[first];
    this.ofInputs = (inputs?.splits ?? []).map((format) => {
      const channels = Array.from(inputs!.magnitudes, (magnitude) => biasOf(format, magnitude));
      const initial = Math.min(...channels);
      return { format, channels, initial, bias: initial };
    });
    this.inputs = inputs && this.ofInputs[inputs.first];
  }

  /** Searches; the weights stay as they are. */
  async run(): Promise<SearchResult> {
    await this.pack(undefined);
    await this.runRows('floatOutputs', { packed: this.packedSamples, target: this.target });
    let loss = NaN;
    for (let round = 0; round < ROUNDS; round++) {
      await this.pack(this.rounding);
      for (const choice of this.ofWeights) await this.searchRows(choice);
      await this.packWeights(this.weights);
      for (const choice of this.ofInputs) await this.searchInputBias(choice);
      const losses: number[] = [];
      for (const choice of this.ofWeights) {
        await this.packWeights(choice);
        losses.push(...(await this.losses([this.rounding])));
      }
      this.weights = this.ofWeights[indexOfLeast(losses)];
      loss = Math.min(...losses);
      if (!this.inputs) continue;
      await this.packWeights(this.weights);
      const ofInputs = await this.losses(this.ofInputs.map((each) => this.roundingOf(each)));
      this.inputs = this.ofInputs[indexOfLeast(ofInputs)];
      loss = Math.min(...ofInputs);
    }
    const { rows } = this.setup.samples;
    return {
      weights: this.weights.format,
      biases: this.weights.bias,
      inputs: this.inputs?.format,
      inputBias: this.inputs?.bias,
      rounding: this.rounding,
      loss: loss / rows / this.setup.linear.outputs,
    };
  }

  /** Replaces the weights by the floats that were chosen. */
  async replaceWeights(): Promise<void> {
    const { format, bias: biases } = this.weights;
    await this.runRows('quantizeRowsByBias', { format, biases, scaleDtype: this.setup.scaleDtype });
  }

  private get rounding(): FixedRounding | undefined {
    return this.inputs && this.roundingOf(this.inputs);
  }

  private roundingOf(
    { format, channels, bias }: LlmFp4Search['ofInputs'][number],
    tried = bias,
  ): FixedRounding {
    const { levels } = format;
    if (!Number.isFinite(tried)) return { levels, scale: 0 };
    return {
      levels,
      scale: this.setup.inputs!.isShifted
        ? preShiftedScales(format, channels, tried)
        : scaleOfBias(format, tried),
    };
  }

  private async searchRows(choice: Choice<Float64Array>): Promise<void> {
    const { linear, scaleDtype } = this.setup;
    const { format } = choice;
    const found = new Float64Array(linear.outputs);
    const task = { packed: this.packedSamples, target: this.target, format, scaleDtype };
    let at = 0;
    await this.runRows('searchRowBiases', task, (biases) => {
      found.set(biases, at);
      at += biases.length;
    });
    choice.bias = found;
  }

  private async searchInputBias(choice: LlmFp4Search['ofInputs'][number]): Promise<void> {
    const biases = BIAS_FACTORS.map((factor) => factor * choice.initial);
    // Nothing but zeros has no scale.
    if (!Number.isFinite(choice.initial)) return;
    const losses = await this.losses(biases.map((bias) => this.roundingOf(choice, bias)));
    choice.bias = biases[indexOfLeast(losses)];
  }

  private pack(rounding: FixedRounding | undefined): Promise<void> {
    const { samples } = this.setup;
    return this.runTasks('packSamples', [
      { samples, rounding, packed: this.packedSamples, scratchBytes: this.scratchBytes },
    ]);
  }

  private packWeights({ format, bias: biases }: Choice<Float64Array>): Promise<void> {
    const { scaleDtype } = this.setup;
    const packed = this.packedWeights;
    return this.runRows('quantizeRowsByBias', { format, biases, scaleDtype, packed });
  }

  /** Of the packed weights with inputs rounded in several ways. */
  private async losses(roundings: readonly (FixedRounding | undefined)[]): Promise<number[]> {
    const { samples, linear } = this.setup;
    const losses: number[] = [];
    const { target, scratchBytes: bytes, packedWeights: weights } = this;
    const shared = { samples, weights, outputs: linear.outputs, target, scratchBytes: bytes };
    const tasks = roundings.map((rounding) => ({ ...shared, rounding }));
    await this.runTasks('sampleLoss', tasks, (loss) => void losses.push(loss));
    return losses;
  }

  /** A task for each run of outputs. */
  private runRows<Name extends 'floatOutputs' | 'searchRowBiases' | 'quantizeRowsByBias'>(
    method: Name,
    more: Omit<TaskOf<LlmFp4Api, Name>, 'samples' | 'weights' | 'run' | 'scratchBytes'>,
    onResult?: (result: Awaited<ReturnType<LlmFp4Api[Name]>>) => void,
  ): Promise<void> {
    const { linear, samples } = this.setup;
    const { weights, outputs } = linear;
    const tasks = Array.from({ length: Math.ceil(outputs / TASK_ROWS) }, (_, index) => {
      const first = index * TASK_ROWS;
      const run = { first, end: Math.min(first + TASK_ROWS, outputs) };
      return { ...more, samples, weights, run, scratchBytes: this.scratchBytes };
    });
    return this.runTasks(method, tasks as unknown as TaskOf<LlmFp4Api, Name>[], onResult);
  }

  private runTasks<Name extends keyof LlmFp4Api & string>(
    method: Name,
    tasks: readonly TaskOf<LlmFp4Api, Name>[],
    onResult: (result: Awaited<ReturnType<LlmFp4Api[Name]>>) => void = () => undefined,
  ): Promise<void> {
    const { machine, call } = this.setup;
    return machine.tasks<LlmFp4Api>().run(method, tasks, onResult, call.signal);
  }
}
