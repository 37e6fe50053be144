import type { ActivationFormat, FixedRounding } from '../../formats/activations.js';
import type { NumberFormat } from '../../formats/types.js';
import type { QuantizeWithSamples, StepFinding } from '../types.js';
import { listSplits, splitName } from './candidates.js';
import { LlmFp4Search, type SearchedInputs } from './search.js';
import { sampleRoomBytes } from '../samples/sizes.js';

/** Splits of a weight format's bits, and which of them it has itself; undefined where it is no such float. */
export function splitsOf({ entry }: NumberFormat) {
  const { rule, bits } = entry;
  if (rule.kind !== 'grid' || rule.scaling !== 'shared' || !rule.grid.minifloat) return undefined;
  const splits = listSplits(bits);
  const { fractionBits } = rule.grid.minifloat;
  const first = splits.findIndex(({ levels }) => levels.fractionBits === fractionBits);
  return first < 0 ? undefined : { splits, first };
}

function inputsOf(
  { entry: { bits, levels, scaling } }: ActivationFormat,
  magnitudes: Float32Array,
): SearchedInputs {
  const splits = listSplits(bits);
  const first = splits.findIndex((split) => split.levels.fractionBits === levels.fractionBits);
  return { splits, first, isShifted: scaling === 'shifted', magnitudes };
}

/** The search of LLM-FP4 for every linear map by itself, on what the unquantized model gives it. */
export const llmFp4Step: QuantizeWithSamples = {
  needs: 'samples',
  roomBytes: sampleRoomBytes,
  async quantize(site, { matrix, rows, maxAbs, room }, activations, call) {
    const { machine, block, inputs, format, scaleDtype } = site;
    const samples = { matrix, rows, inputs };
    const searched = activations && inputsOf(activations, maxAbs);
    const findings: StepFinding[] = [];
    const roundings = new Map<string, FixedRounding>();
    for (const linear of site.linears) {
      const search = new LlmFp4Search({
        ...{ machine, linear, samples, room, scaleDtype, call, inputs: searched },
        ...splitsOf(format)!,
      });
      const { weights, inputs: chosen, inputBias, rounding, loss } = await search.run();
      await search.replaceWeights();
      if (rounding) roundings.set(linear.name, rounding);
      const ofInputs = chosen && { inputFormat: splitName(chosen), inputBias: inputBias! };
      const values = { weightFormat: splitName(weights), ...ofInputs, loss };
      findings.push({ block, tensors: [linear.name], values });
    }
    return { findings, roundings };
  },
};
