import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { parseFormat } from '../../formats/names.js';
import { countPackedWeightBytes, type ForwardKernels } from '../../kernels/forwardKernels.js';
import type { Handlers } from '../../rpc/rpc.js';
import { makeSeeing } from '../seeing.js';
import { OUTPUT_TILE, sampleBytes, takerOf } from './sizes.js';
import type { SampleApi, SampleRounding, Samples } from './tasks.js';

/** What quantization does to sampled rows, in a worker. */
export function makeSampleMethods(
  loader: ChunkLoader,
  kernels: ForwardKernels,
): Handlers<SampleApi> {
  const { memory } = loader;
  const seeing = makeSeeing(loader);
  const floats = (at: number, count: number) => new Float32Array(memory.buffer, at, count);

  /** Rounds samples into a place of their own, where they are to be rounded. */
  const round = (
    { matrix, rows, inputs }: Samples,
    rounding: SampleRounding | undefined,
    take: (bytes: number) => number,
  ) => {
    if (!rounding) return matrix;
    const { levels, scale } = rounding;
    const target = { at: take(sampleBytes(rows, inputs)), stride: inputs };
    const place = { source: matrix, target, rows, columns: inputs, levels };
    if (scale instanceof Float32Array) {
      const channelScales = take((inputs + 4) * 4);
      floats(channelScales, inputs).set(scale);
      kernels.roundRows({ ...place, channelScales });
    } else kernels.roundRows({ ...place, scale });
    return target;
  };

  return {
    packSamples: seeing(({ samples, rounding, side, packed, region }) => {
      const source = round(samples, rounding, takerOf(region));
      if (side === 'inputs') kernels.packInputs(source, samples.rows, samples.inputs, packed);
      else kernels.packRows(source, samples.rows, samples.inputs, packed);
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

    quantizeScaled: seeing((task) => {
      const { samples, weights, run, format, scaleDtype, factors, packed, region } = task;
      const { inputs } = samples;
      const outputs = run.end - run.first;
      const rowAt = (row: number) => weights.at + (run.first + row) * weights.stride * 4;
      const quantizer = loader.kernelsIn(region);
      const scaled = quantizer.weights(outputs * inputs);
      for (let row = 0; row < outputs; row++) {
        const values = floats(rowAt(row), inputs);
        const to = scaled.subarray(row * inputs, (row + 1) * inputs);
        for (let i = 0; i < inputs; i++) to[i] = factors ? values[i] * factors[i] : values[i];
      }
      const shape = { rows: outputs, columns: inputs };
      quantizer.quantize(parseFormat(format), scaleDtype, shape, { keepOutput: true });
      const values = quantizer.output(outputs * inputs);
      if (factors) {
        for (let at = 0; at < values.length; at++) {
          const factor = factors[at % inputs];
          values[at] = factor === 0 ? 0 : values[at] / factor;
        }
      }
      if (packed !== undefined) {
        const target = packed + countPackedWeightBytes(run.first, inputs);
        kernels.packRows({ at: values.byteOffset, stride: inputs }, outputs, inputs, target);
        return;
      }
      for (let row = 0; row < outputs; row++) {
        floats(rowAt(row), inputs).set(values.subarray(row * inputs, (row + 1) * inputs));
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
