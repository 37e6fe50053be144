import type { ChunkLoader } from '../../compute/chunkLoader.js';
import type { FixedRounding } from '../../formats/activations.js';
import { biasOf, scaleOfBias } from '../../formats/preShifted.js';
import { countPackedWeightBytes, type ForwardKernels } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { storeScale } from '../../kernels/reference/scales.js';
import type { Handlers } from '../../rpc/rpc.js';
import { makeSeeing } from '../seeing.js';
import { BIAS_FACTORS, indexOfLeast } from './candidates.js';
import { ALIGNMENT, OUTPUT_TILE, sampleBytes } from './sizes.js';
import type {
  LlmFp4Api,
  OutputRowsTask,
  QuantizeRowsTask,
  RowBiasesTask,
  Samples,
} from './tasks.js';

/** The search of LLM-FP4 in a worker. */
export function makeLlmFp4Methods(
  loader: ChunkLoader,
  kernels: ForwardKernels,
): Handlers<LlmFp4Api> {
  const { memory } = loader;
  const seeing = makeSeeing(loader);
  const floats = (at: number, count: number) => new Float32Array(memory.buffer, at, count);

  /** Rounds samples into a place of their own, where they are to be rounded. */
  const round = (
    { matrix, rows, inputs }: Samples,
    rounding: FixedRounding | undefined,
    take: (bytes: number) => number,
  ) => {
    if (!rounding) return matrix;
    const { levels, scale } = rounding;
    const target = { at: take(sampleBytes(rows, inputs)), stride: inputs };
    const place = { source: matrix, target, rows, columns: inputs, levels };
    if (typeof scale === 'number') kernels.roundRows({ ...place, scale });
    else {
      const channelScales = take((inputs + 4) * 4);
      floats(channelScales, inputs).set(scale);
      kernels.roundRows({ ...place, channelScales });
    }
    return target;
  };

  const rowOf = ({ weights, samples }: OutputRowsTask, output: number) =>
    floats(weights.at + output * weights.stride * 4, samples.inputs);

  return {
    packSamples: seeing(({ samples, rounding, packed, region }) => {
      const source = round(samples, rounding, takerOf(region));
      kernels.packInputs(source, samples.rows, samples.inputs, packed);
    }),

    floatOutputs: seeing((task) => {
      const { samples, weights, run, packed, target, region } = task;
      const { inputs, rows } = samples;
      const outputs = run.end - run.first;
      const packedWeights = takerOf(region)(countPackedWeightBytes(outputs, inputs));
      const source = { ...weights, at: weights.at + run.first * weights.stride * 4 };
      kernels.packRows(source, outputs, inputs, packedWeights);
      const output = { ...target, at: target.at + run.first * 4 };
      const product = { packedInputs: packed, packedWeights, bias: 0, output };
      kernels.multiply({ ...product, rows, outputs, inputs, accumulate: false });
    }),

    searchRowBiases: seeing((task) => searchRowBiases(kernels, memory, task)),

    quantizeRowsByBias: seeing((task) => {
      const { samples, run, format, biases, scaleDtype, packed, region } = task;
      const { inputs } = samples;
      const outputs = run.end - run.first;
      const at = takerOf(region)(outputs * inputs * 4);
      for (let output = run.first; output < run.end; output++) {
        const bias = biases[output];
        const scale = storedScale(format, bias, scaleDtype);
        const place = {
          source: { at: task.weights.at + output * task.weights.stride * 4, stride: inputs },
          target: { at: at + (output - run.first) * inputs * 4, stride: inputs },
        };
        kernels.roundRows({ ...place, rows: 1, columns: inputs, levels: format.levels, scale });
      }
      if (packed !== undefined) {
        const target = packed + countPackedWeightBytes(run.first, inputs);
        kernels.packRows({ at, stride: inputs }, outputs, inputs, target);
        return;
      }
      for (let output = run.first; output < run.end; output++) {
        rowOf(task, output).set(floats(at + (output - run.first) * inputs * 4, inputs));
      }
    }),

    sampleLoss: seeing(({ samples, rounding, weights, outputs, target, region }) => {
      const take = takerOf(region);
      const { rows, inputs } = samples;
      const source = round(samples, rounding, take);
      const packedInputs = take(sampleBytes(rows, inputs));
      kernels.packInputs(source, rows, inputs, packedInputs);
      const at = take(sampleBytes(rows, OUTPUT_TILE));
      let sum = 0;
      for (let first = 0; first < outputs; first += OUTPUT_TILE) {
        const count = Math.min(OUTPUT_TILE, outputs - first);
        kernels.multiply({
          packedInputs,
          packedWeights: weights + countPackedWeightBytes(first, inputs),
          ...{ bias: 0, output: { at, stride: count }, rows, outputs: count, inputs },
          accumulate: false,
        });
        const values = floats(at, rows * count);
        for (let row = 0; row < rows; row++) {
          const wanted = floats(target.at + (row * target.stride + first) * 4, count);
          for (let i = 0; i < count; i++) sum += (values[row * count + i] - wanted[i]) ** 2;
        }
      }
      return sum;
    }),
  };
}

/** Hands out parts of a task's memory. */
function takerOf({ start, bytes }: MemoryRegion): (bytes: number) => number {
  let top = start;
  return (wanted) => {
    const at = Math.ceil(top / ALIGNMENT) * ALIGNMENT;
    top = at + wanted;
    if (top > start + bytes) throw new Error(`A task of LLM-FP4 needs more than ${bytes} bytes`);
    return at;
  };
}

/** A scale as it is stored; 0 for rows without weights. */
function storedScale(
  format: QuantizeRowsTask['format'],
  bias: number,
  dtype: QuantizeRowsTask['scaleDtype'],
): number {
  return storeScale(scaleOfBias(format, bias), dtype).value;
}

function searchRowBiases(
  kernels: ForwardKernels,
  memory: WebAssembly.Memory,
  { samples, weights, run, packed, target, format, scaleDtype, region }: RowBiasesTask,
): Float64Array {
  const { rows, inputs } = samples;
  const count = BIAS_FACTORS.length;
  const take = takerOf(region);
  const candidates = { at: take(count * inputs * 4), stride: inputs };
  const packedWeights = take(countPackedWeightBytes(count, inputs));
  const output = { at: take(sampleBytes(rows, count)), stride: count };
  const chosen = new Float64Array(run.end - run.first);
  for (let row = run.first; row < run.end; row++) {
    const source = { at: weights.at + row * weights.stride * 4, stride: inputs };
    const largest = new Float32Array(memory.buffer, source.at, inputs).reduce(
      (most, value) => Math.max(most, Math.abs(value)),
      0,
    );
    const initial = biasOf(format, largest);
    chosen[row - run.first] = initial;
    if (initial === Infinity) continue;
    for (const [index, factor] of BIAS_FACTORS.entries()) {
      const place = { at: candidates.at + index * inputs * 4, stride: inputs };
      const scale = storedScale(format, factor * initial, scaleDtype);
      const { levels } = format;
      kernels.roundRows({ source, target: place, rows: 1, columns: inputs, levels, scale });
    }
    kernels.packRows(candidates, count, inputs, packedWeights);
    const product = { packedInputs: packed, packedWeights, bias: 0, output };
    kernels.multiply({ ...product, rows, outputs: count, inputs, accumulate: false });
    const losses = new Float64Array(count);
    const values = new Float32Array(memory.buffer, output.at, rows * count);
    for (let sample = 0; sample < rows; sample++) {
      const at = target.at + (sample * target.stride + row) * 4;
      const [wanted] = new Float32Array(memory.buffer, at, 1);
      for (let i = 0; i < count; i++) losses[i] += (values[sample * count + i] - wanted) ** 2;
    }
    chosen[row - run.first] = BIAS_FACTORS[indexOfLeast(losses)] * initial;
  }
  return chosen;
}
