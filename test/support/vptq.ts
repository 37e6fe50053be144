import type { WorkerPool } from '../../src/compute/workerPool.js';
import { parseScheme } from '../../src/methods/schemes.js';
import type { CalibrationSite, Gram, StepFinding, StepOptions } from '../../src/methods/types.js';
import { vptqStep } from '../../src/methods/vptq/quantizeStep.js';

/** One linear map and the products of its inputs. */
export interface VptqScene {
  readonly weights: Float32Array;
  readonly outputs: number;
  readonly inputs: number;
  /** [inputs × inputs], symmetric. */
  readonly gram: Float64Array | Float32Array;
  readonly rows?: number;
}

/** Floats between the rows of weights. */
const GAP = 3;

/** A scene in a pool's memory, as a step takes it. */
export function placeScene(pool: WorkerPool, scene: VptqScene) {
  const { weights, outputs, inputs, gram, rows = 1 } = scene;
  const stride = inputs + GAP;
  const at = pool.reserve(outputs * stride * 4).start;
  const gramAt = pool.reserve(inputs * inputs * 8).start;
  const view = new Float32Array(pool.memory.buffer, at, outputs * stride).fill(7);
  for (let row = 0; row < outputs; row++) {
    view.set(weights.subarray(row * inputs, (row + 1) * inputs), row * stride);
  }
  new Float64Array(pool.memory.buffer, gramAt, inputs * inputs).set(gram);
  const site: CalibrationSite = {
    machine: pool,
    block: 0,
    inputs,
    linears: [{ name: 'w', outputs, weights: { at, stride } }],
    format: parseScheme('vptq').format,
    scaleDtype: 'f16',
  };
  const placed: Gram = { at: gramAt, rows };
  /** The weights as they are now. */
  const read = (): Float32Array => {
    const after = new Float32Array(pool.memory.buffer, at, outputs * stride);
    const result = new Float32Array(outputs * inputs);
    for (let row = 0; row < outputs; row++) {
      result.set(after.subarray(row * stride, row * stride + inputs), row * inputs);
      const gap = after.subarray(row * stride + inputs, (row + 1) * stride);
      if (gap.some((value) => value !== 7)) throw new Error('Written beyond the rows of weights');
    }
    return result;
  };
  return { site, gram: placed, read };
}

/** Options of a scheme's name. */
export function vptqOptions(name: string): StepOptions {
  return parseScheme(name).methods[0].options;
}

/** Runs the method's step in a pool. */
export async function quantizeVectors(
  pool: WorkerPool,
  scene: VptqScene,
  name: string,
): Promise<{ readonly weights: Float32Array; readonly finding: StepFinding }> {
  const { site, gram, read } = placeScene(pool, scene);
  const [finding] = await vptqStep.quantize(site, gram, vptqOptions(name), {});
  return { weights: read(), finding };
}
