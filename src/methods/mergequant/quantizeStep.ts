import type { ActivationFormat, FixedRounding } from '../../formats/activations.js';
import { scaleOfRange } from '../../kernels/forwardKernels.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { SampledLinear } from '../samples/sampledLinear.js';
import { sampleRoomBytes } from '../samples/sizes.js';
import type { SampleApi } from '../samples/tasks.js';
import type {
  CalibratedLinear,
  CalibrationSite,
  QuantizeWithSamples,
  SampledInputs,
} from '../types.js';
import { planChannels, unevennessOf } from './channels.js';

const { fround } = Math;

/** Shares of the range that are tried: 1, 0.95 … 0.5. */
const CLIPS = Array.from({ length: 11 }, (_, i) => (20 - i) / 20);

/** What is done to the inputs of a site and to its weights. */
interface Candidate {
  readonly clip: number;
  readonly isSplit: boolean;
  /** f32 [inputs]: step of each input; 0 where it is left out. */
  readonly steps: Float32Array;
  /** f32 [inputs]: what is merged into the weights. */
  readonly merged: Float32Array;
}

/** Static steps for single inputs, merged into the weights (methods, "To §12"; reconstructed). */
export const mergeQuantStep: QuantizeWithSamples = {
  needs: 'samples',
  roomBytes: sampleRoomBytes,
  async quantize(site, samples, activations, call) {
    if (!activations) throw new Error('MergeQuant needs a static format of activations');
    const { levels } = activations.entry;
    const copies = planChannels(samples.maxAbs, await energiesOf(site, samples)).copies;
    const candidates = [true, false].flatMap((isSplit) =>
      CLIPS.map((clip) => makeCandidate(samples.maxAbs, activations, clip, isSplit && copies)),
    );
    const range = samples.maxAbs.reduce((most, each) => Math.max(most, each), 0);
    const losses = new Float64Array(candidates.length);
    const nearest = new Float64Array(2);
    for (const linear of site.linears) {
      const sampled = sampledOf(site, samples, linear, call);
      await sampled.findTarget();
      const add = (sums: Float64Array, at: number, loss: number) => {
        sums[at] += loss * linear.outputs;
      };
      for (const [index, { steps, merged }] of candidates.entries()) {
        await quantizeScaled(site, sampled, merged, sampled.packedWeights);
        const [loss] = await sampled.losses([{ levels, scale: steps }]);
        add(losses, index, loss);
      }
      await quantizeScaled(site, sampled, undefined, sampled.packedWeights);
      const ofNearest = await sampled.losses([
        { levels, scale: scaleOfRange(range, levels) },
        { levels },
      ]);
      ofNearest.forEach((loss, index) => add(nearest, index, loss));
    }
    const best = losses.indexOf(losses.reduce((least, loss) => Math.min(least, loss), Infinity));
    if (best < 0) throw new Error(`No loss of ${site.linears[0].name} and its like is a number`);
    const { clip, isSplit, steps, merged } = candidates[best];
    for (const linear of site.linears) {
      await quantizeScaled(site, sampledOf(site, samples, linear, call), merged);
    }
    const outputs = site.linears.reduce((sum, linear) => sum + linear.outputs, 0);
    const rounding: FixedRounding = { levels, scale: steps };
    const tensors = site.linears.map(({ name }) => name);
    const values = {
      clip,
      unevenness: unevennessOf(samples.maxAbs),
      unevennessMerged: unevennessOf(merged),
      splitInputs: isSplit ? copies.filter((count) => count > 1).length : 0,
      inputsLeftOut: isSplit ? copies.filter((count) => count === 0).length : 0,
      loss: losses[best] / outputs,
      lossPerTensor: nearest[0] / outputs,
      lossPerToken: nearest[1] / outputs,
    };
    return {
      findings: [{ block: site.block, tensors, values }],
      roundings: new Map(tensors.map((name) => [name, rounding])),
    };
  },
};

/** @param copies of each input; false: one of each */
function makeCandidate(
  maxAbs: Float32Array,
  { entry: { levels } }: ActivationFormat,
  clip: number,
  copies: Int32Array | false,
): Candidate {
  const steps = maxAbs.map((most, i) =>
    copies && copies[i] === 0 ? 0 : scaleOfRange(fround(clip) * most, levels),
  );
  // n copies of x/n with steps of s/n have the codes of x with the step s.
  const merged = copies ? steps.map((step, i) => (step === 0 ? 0 : step / copies[i])) : steps;
  return { clip, isSplit: copies !== false, steps, merged };
}

function sampledOf(
  { machine, inputs }: CalibrationSite,
  { matrix, rows, room }: SampledInputs,
  linear: CalibratedLinear,
  call: CallOptions,
): SampledLinear {
  return new SampledLinear({ machine, linear, samples: { matrix, rows, inputs }, room, call });
}

/** @param packed address; absent: in place */
function quantizeScaled(
  { format, scaleDtype }: CalibrationSite,
  sampled: SampledLinear,
  factors: Float32Array | undefined,
  packed?: number,
): Promise<void> {
  return sampled.runRows<SampleApi, 'quantizeScaled'>(
    'quantizeScaled',
    { format: format.id, scaleDtype, factors, packed },
    sampled.scratchBytes,
  );
}

/** Σx²·Σw² of each input over samples and outputs. */
async function energiesOf(
  { machine, linears, inputs }: CalibrationSite,
  { matrix, rows }: SampledInputs,
): Promise<Float64Array> {
  const squares = async (at: number, count: number) => {
    const sums = new Float64Array(inputs);
    const values = await machine.readFloats(at, count * inputs);
    for (let i = 0; i < values.length; i++) sums[i % inputs] += values[i] ** 2;
    return sums;
  };
  const energies = new Float64Array(inputs);
  for (const { weights, outputs } of linears) {
    const ofWeights = await squares(weights.at, outputs);
    ofWeights.forEach((sum, i) => (energies[i] += sum));
  }
  const ofInputs = await squares(matrix.at, rows);
  return energies.map((sum, i) => sum * ofInputs[i]);
}
