import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { biasOf, scaleOfBias } from '../../formats/preShifted.js';
import {
  countPackedWeightBytes,
  PANEL_ROWS,
  type ForwardKernels,
} from '../../kernels/forwardKernels.js';
import { storeScale } from '../../kernels/reference/scales.js';
import type { Handlers } from '../../rpc/rpc.js';
import { makeSeeing } from '../seeing.js';
import { BIAS_FACTORS, indexOfLeast } from './candidates.js';
import { sampleBytes, takerOf } from '../samples/sizes.js';
import type { OutputRowsTask } from '../samples/tasks.js';
import type { LlmFp4Api, QuantizeRowsTask, RowBiasesTask } from './tasks.js';

/** Scratch of the tasks here. */
export function biasScratchBytes(rows: number, inputs: number): number {
  const count = BIAS_FACTORS.length;
  return 8 * 64 + 2 * sampleBytes(count, inputs) + sampleBytes(count, rows);
}

/** Sampled rows by which candidates are first told apart; whole panels of a product. */
const FIRST_ROWS = 4 * PANEL_ROWS;

/** The search of LLM-FP4 in a worker. */
export function makeLlmFp4Methods(
  loader: ChunkLoader,
  kernels: ForwardKernels,
): Handlers<LlmFp4Api> {
  const { memory } = loader;
  const seeing = makeSeeing(loader);
  const floats = (at: number, count: number) => new Float32Array(memory.buffer, at, count);

  const rowOf = ({ weights, samples }: OutputRowsTask, output: number) =>
    floats(weights.at + output * weights.stride * 4, samples.inputs);

  return {
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

/**
 * The bias of each row with the least squared error, the first of equal ones. Candidates leave as soon as some of the
 * samples cost more than all samples cost another candidate, which changes no result.
 */
function searchRowBiases(
  kernels: ForwardKernels,
  memory: WebAssembly.Memory,
  { samples, weights, run, packed, target, format, scaleDtype, region }: RowBiasesTask,
): Float64Array {
  const { rows, inputs } = samples;
  const count = BIAS_FACTORS.length;
  const take = takerOf(region);
  const candidates = { at: take(count * inputs * 4), stride: inputs };
  const packedCandidates = take(sampleBytes(count, inputs));
  const output = { at: take(sampleBytes(count, rows)), stride: rows };
  const { levels } = format;
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
    const targets = new Float32Array(memory.buffer, target.at, rows * target.stride);
    const wanted = Float32Array.from(
      { length: rows },
      (_, at) => targets[at * target.stride + row],
    );
    const losses = new Float64Array(count);
    /** Adds what some of the samples cost candidates. */
    const add = (tried: readonly number[], first: number, end: number) => {
      for (const [place, index] of tried.entries()) {
        const to = { at: candidates.at + place * inputs * 4, stride: inputs };
        const scale = storedScale(format, BIAS_FACTORS[index] * initial, scaleDtype);
        kernels.roundRows({ source, target: to, rows: 1, columns: inputs, levels, scale });
      }
      kernels.packInputs(candidates, tried.length, inputs, packedCandidates);
      const packedWeights = packed + countPackedWeightBytes(first, inputs);
      const sides = { packedInputs: packedCandidates, packedWeights, bias: 0, output };
      const size = { rows: tried.length, outputs: end - first, inputs };
      kernels.multiply({ ...sides, ...size, accumulate: false });
      for (const [place, index] of tried.entries()) {
        const values = new Float32Array(memory.buffer, output.at + place * rows * 4, end - first);
        for (let i = 0; i < values.length; i++)
          losses[index] += (values[i] - wanted[first + i]) ** 2;
      }
    };
    let seen = Math.min(FIRST_ROWS, rows);
    let remaining = [...losses.keys()];
    add(remaining, 0, seen);
    while (seen < rows && remaining.length > 1) {
      // The most promising one sees all samples: what exceeds its loss cannot win.
      const rival = remaining[indexOfLeast(remaining.map((index) => losses[index]))];
      const partial = losses[rival];
      add([rival], seen, rows);
      const bound = losses[rival];
      losses[rival] = partial;
      remaining = remaining.filter((index) => losses[index] <= bound);
      const end = Math.min(2 * seen, rows);
      add(remaining, seen, end);
      remaining = remaining.filter((index) => losses[index] <= bound);
      seen = end;
    }
    const best = remaining[indexOfLeast(remaining.map((index) => losses[index]))];
    chosen[row - run.first] = BIAS_FACTORS[best] * initial;
  }
  return chosen;
}
