import type { FixedRounding } from '../../formats/activations.js';
import {
  biasOf,
  preShiftedScales,
  scaleOfBias,
  type BiasedFloat,
} from '../../formats/preShifted.js';
import type { ScaleDtype } from '../../formats/types.js';
import { SampledLinear, type SampledSetup } from '../samples/sampledLinear.js';
import { BIAS_FACTORS, indexOfLeast } from './candidates.js';
import { biasScratchBytes } from './llmFp4Methods.js';
import type { LlmFp4Api } from './tasks.js';

/** Rounds of the search. */
const ROUNDS = 3;
/** Biases of weights or inputs in one of the formats that are tried. */
interface Choice<Bias> {
  readonly format: BiasedFloat;
  bias: Bias;
}

interface InputChoice extends Choice<number> {
  readonly initial: number;
  /** Of each input. */
  readonly channels: readonly number[];
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

export interface SearchSetup extends SampledSetup {
  readonly splits: readonly BiasedFloat[];
  /** Which of these the search begins with. */
  readonly first: number;
  /** Absent: inputs stay as they are. */
  readonly inputs?: SearchedInputs;
  readonly scaleDtype: ScaleDtype;
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
  private readonly sampled: SampledLinear;
  private readonly ofWeights: readonly Choice<Float64Array>[];
  private weights: Choice<Float64Array>;
  private readonly ofInputs: readonly InputChoice[];
  private inputs?: InputChoice;

  constructor(private readonly setup: SearchSetup) {
    const { splits, first, inputs } = setup;
    this.sampled = new SampledLinear(setup);
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
    const { sampled } = this;
    await sampled.findTarget();
    let loss = NaN;
    for (let round = 0; round < ROUNDS; round++) {
      await sampled.pack(this.rounding, 'weights');
      for (const choice of this.ofWeights) await this.searchRows(choice);
      await this.quantize(this.weights, sampled.packedWeights);
      for (const choice of this.ofInputs) await this.searchInputBias(choice);
      const losses: number[] = [];
      for (const choice of this.ofWeights) {
        await this.quantize(choice, sampled.packedWeights);
        losses.push(...(await sampled.losses([this.rounding])));
      }
      this.weights = this.ofWeights[indexOfLeast(losses)];
      loss = Math.min(...losses);
      if (!this.inputs) continue;
      await this.quantize(this.weights, sampled.packedWeights);
      const ofInputs = await sampled.losses(this.ofInputs.map((each) => this.roundingOf(each)));
      this.inputs = this.ofInputs[indexOfLeast(ofInputs)];
      loss = Math.min(...ofInputs);
    }
    return {
      weights: this.weights.format,
      biases: this.weights.bias,
      inputs: this.inputs?.format,
      inputBias: this.inputs?.bias,
      rounding: this.rounding,
      loss,
    };
  }

  /** Replaces the weights by the floats that were chosen. */
  replaceWeights(): Promise<void> {
    return this.quantize(this.weights);
  }

  private get rounding(): FixedRounding | undefined {
    return this.inputs && this.roundingOf(this.inputs);
  }

  private roundingOf({ format, channels, bias }: InputChoice, tried = bias): FixedRounding {
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
    const { linear, scaleDtype, samples } = this.setup;
    const { target, packedSamples: packed } = this.sampled;
    const found = new Float64Array(linear.outputs);
    let at = 0;
    await this.sampled.runRows<LlmFp4Api, 'searchRowBiases'>(
      'searchRowBiases',
      { packed, target, format: choice.format, scaleDtype },
      biasScratchBytes(samples.rows, samples.inputs),
      (biases) => {
        found.set(biases, at);
        at += biases.length;
      },
    );
    choice.bias = found;
  }

  private async searchInputBias(choice: InputChoice): Promise<void> {
    // Nothing but zeros has no scale.
    if (!Number.isFinite(choice.initial)) return;
    const biases = BIAS_FACTORS.map((factor) => factor * choice.initial);
    const roundings = biases.map((bias) => this.roundingOf(choice, bias));
    choice.bias = biases[indexOfLeast(await this.sampled.losses(roundings))];
  }

  /** @param packed address; absent: in place */
  private quantize({ format, bias: biases }: Choice<Float64Array>, packed?: number): Promise<void> {
    const { scaleDtype } = this.setup;
    return this.sampled.runRows<LlmFp4Api, 'quantizeRowsByBias'>(
      'quantizeRowsByBias',
      { format, biases, scaleDtype, packed },
      this.sampled.scratchBytes,
    );
  }
}
