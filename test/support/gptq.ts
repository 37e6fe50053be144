import { parseFormat } from '../../src/formats/index.js';
import type { ScaleDtype } from '../../src/formats/types.js';
import type { WorkerPool } from '../../src/compute/workerPool.js';
import { GPTQ } from '../../src/methods/entries/gptq.js';
import type { StepFinding, StepOptions } from '../../src/methods/types.js';

/** Options of a method as it declares them, and those that are given. */
export function gptqOptions(given: StepOptions = {}): StepOptions {
  return { ...Object.fromEntries(GPTQ.options.map((o) => [o.name, o.default])), ...given };
}

/** One linear map and the products of its inputs. */
export interface GptqScene {
  readonly weights: Float32Array;
  readonly outputs: number;
  readonly inputs: number;
  /** [inputs × inputs], symmetric. */
  readonly gram: Float64Array | Float32Array;
  readonly rows?: number;
  readonly format: string;
  readonly scaleDtype?: ScaleDtype;
  readonly options?: StepOptions;
  readonly signal?: AbortSignal;
}

/** Floats between the rows of weights, beyond their length: they must stay as they are. */
const GAP = 3;

/** Runs the method's step in a pool. */
export async function quantizeOn(
  pool: WorkerPool,
  scene: GptqScene,
): Promise<{ readonly weights: Float32Array; readonly findings: readonly StepFinding[] }> {
  const { weights, outputs, inputs, gram, signal } = scene;
  const stride = inputs + GAP;
  const placed = pool.reserve(outputs * stride * 4).start;
  const gramAt = pool.reserve(inputs * inputs * 8).start;
  const view = new Float32Array(pool.memory.buffer, placed, outputs * stride).fill(7);
  for (let row = 0; row < outputs; row++) {
    view.set(weights.subarray(row * inputs, (row + 1) * inputs), row * stride);
  }
  new Float64Array(pool.memory.buffer, gramAt, inputs * inputs).set(gram);
  const { quantize: step } = GPTQ;
  if (step?.needs !== 'gram') throw new Error('GPTQ needs products');
  const findings = await step.quantize(
    {
      machine: pool,
      block: 0,
      inputs,
      linears: [{ name: 'w', outputs, weights: { at: placed, stride } }],
      format: parseFormat(scene.format),
      scaleDtype: scene.scaleDtype ?? 'f32',
    },
    { at: gramAt, rows: scene.rows ?? 1 },
    gptqOptions(scene.options),
    { signal },
  );
  const result = new Float32Array(outputs * inputs);
  // The memory may have grown.
  const after = new Float32Array(pool.memory.buffer, placed, outputs * stride);
  for (let row = 0; row < outputs; row++) {
    result.set(after.subarray(row * stride, row * stride + inputs), row * inputs);
    const gap = after.subarray(row * stride + inputs, (row + 1) * stride);
    if (gap.some((value) => value !== 7)) throw new Error('Written beyond the rows of weights');
  }
  return { weights: result, findings };
}

/** A pool's gram of rows of inputs, summed in f64. */
export function plainGram(x: Float32Array, inputs: number): Float64Array {
  const gram = new Float64Array(inputs * inputs);
  for (let at = 0; at < x.length; at += inputs) {
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) gram[i * inputs + j] += x[at + i] * x[at + j];
    }
  }
  return gram;
}
